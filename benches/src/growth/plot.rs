//! The plot: p99 by the size of the directory, both axes logarithmic.

use std::path::Path;

use anyhow::{Context as _, ensure};
use plotters::prelude::*;

use super::{Grown, Kind, shares};

const SIZE: (u32, u32) = (900, 520);
const MARGIN: u32 = 16;
const LABELS: u32 = 60;
const DOT: i32 = 4;

struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

pub fn draw(grown: &[Grown], path: &Path) -> anyhow::Result<()> {
    let curves = curves(grown);
    let points = curves.iter().flat_map(|curve| &curve.points);
    let (mut x, mut y) = ((f64::MAX, 0.0_f64), (f64::MAX, 0.0_f64));
    for (size, ms) in points {
        x = (x.0.min(*size), x.1.max(*size));
        y = (y.0.min(*ms), y.1.max(*ms));
    }
    ensure!(x.0 <= x.1 && y.0 > 0.0, "there is nothing to draw");
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = || format!("could not draw {}", path.display());
    area.fill(&WHITE).with_context(failed)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(MARGIN)
        .x_label_area_size(LABELS)
        .y_label_area_size(LABELS)
        .build_cartesian_2d(
            (x.0 * 0.8..x.1 * 1.25).log_scale(),
            (y.0 * 0.8..y.1 * 1.25).log_scale(),
        )
        .with_context(failed)?;
    chart
        .configure_mesh()
        .x_desc("practitioners")
        .y_desc("p99, ms")
        .draw()
        .with_context(failed)?;
    for (at, Curve { name, points }) in curves.into_iter().enumerate() {
        let color = Palette99::pick(at).to_rgba();
        let line = LineSeries::new(points.iter().copied(), color.stroke_width(2));
        chart
            .draw_series(line)
            .with_context(failed)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        let dots = points
            .iter()
            .map(|at| Circle::new(*at, DOT, color.filled()));
        chart.draw_series(dots).with_context(failed)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()
        .with_context(failed)?;
    area.present().with_context(failed)
}

/// The search alone, and each kind of request under the smallest share of the peak.
fn curves(grown: &[Grown]) -> Vec<Curve> {
    let alone = grown
        .iter()
        .map(|one| (one.practitioners as f64, one.alone.p99));
    let mut curves = vec![Curve {
        name: "search alone".to_owned(),
        points: alone.collect(),
    }];
    let Some(share) = shares(grown).into_iter().next() else {
        return curves;
    };
    let first = grown.iter().find_map(|one| one.under(share));
    for Kind { name, .. } in first.into_iter().flat_map(|mixed| &mixed.kinds) {
        let points = grown.iter().filter_map(|one| {
            let p99_ms = one.under(share)?.kind(name)?.p99_ms;
            (p99_ms > 0.0).then_some((one.practitioners as f64, p99_ms))
        });
        curves.push(Curve {
            name: format!("{name}, {share} of the peak"),
            points: points.collect(),
        });
    }
    curves
}
