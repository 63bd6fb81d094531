//! Distances on the globe, and the cells that narrow a search before they are computed.

use super::GeoPoint;

/// The mean radius that OpenSearch computes with.
pub const EARTH_RADIUS_M: f64 = 6_371_008.771_4;
/// A cell is a tenth of a degree each way: 11 km from south to north.
const CELLS_PER_DEGREE: f64 = 10.0;
const CELLS_AROUND: i32 = 3_600;

/// The great-circle distance.
pub fn distance_m(a: GeoPoint, b: GeoPoint) -> f64 {
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let half_lat = ((lat_b - lat_a) / 2.0).sin();
    let half_lon = ((b.lon - a.lon).to_radians() / 2.0).sin();
    let haversine = half_lat * half_lat + lat_a.cos() * lat_b.cos() * half_lon * half_lon;
    2.0 * EARTH_RADIUS_M * haversine.sqrt().min(1.0).asin()
}

/// OpenSearch's `gauss` with offset 0: 1 at the origin, `decay` at `scale_m`.
pub fn gauss(distance_m: f64, scale_m: f64, decay: f64) -> f64 {
    (decay.ln() * (distance_m / scale_m).powi(2)).exp()
}

/// A cell, counted from the south pole and from the date line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    pub lat: i32,
    pub lon: i32,
}

impl Cell {
    pub fn of(point: GeoPoint) -> Self {
        Self {
            lat: ((point.lat + 90.0) * CELLS_PER_DEGREE).floor() as i32,
            lon: (((point.lon + 180.0) * CELLS_PER_DEGREE).floor() as i32).rem_euclid(CELLS_AROUND),
        }
    }
}

/// All cells that a circle touches, and perhaps some more; none if they would be more than
/// `cells_max`.
pub fn cells_around(center: GeoPoint, radius_m: f64, cells_max: usize) -> Option<Vec<Cell>> {
    // A hair more than the radius, so that rounding never costs a document at the rim.
    let angle = radius_m / EARTH_RADIUS_M + 1e-9;
    let south = center.lat - angle.to_degrees();
    let north = center.lat + angle.to_degrees();
    let (west, columns) = if south <= -90.0 || north >= 90.0 {
        (0, CELLS_AROUND)
    } else {
        let half = (angle.sin() / center.lat.to_radians().cos())
            .min(1.0)
            .asin()
            .to_degrees();
        let west = ((center.lon - half + 180.0) * CELLS_PER_DEGREE).floor() as i32;
        let east = ((center.lon + half + 180.0) * CELLS_PER_DEGREE).floor() as i32;
        (west, (east - west + 1).min(CELLS_AROUND))
    };
    let first = ((south.max(-90.0) + 90.0) * CELLS_PER_DEGREE).floor() as i32;
    let last = ((north.min(90.0) + 90.0) * CELLS_PER_DEGREE).floor() as i32;
    let rows = last - first + 1;
    if rows as usize * columns as usize > cells_max {
        return None;
    }
    let cells = (first..=last).flat_map(|lat| {
        (west..west + columns).map(move |lon| Cell {
            lat,
            lon: lon.rem_euclid(CELLS_AROUND),
        })
    });
    Some(cells.collect())
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    #[test]
    fn a_degree_of_latitude_is_as_long_as_opensearch_says() {
        let from = GeoPoint { lat: 0.0, lon: 0.0 };
        let to = GeoPoint { lat: 1.0, lon: 0.0 };
        assert!((distance_m(from, to) - 111_195.08).abs() < 0.01);
    }

    #[test]
    fn gauss_is_the_decay_at_the_scale() {
        assert_eq!(gauss(0.0, 12_500.0, 0.5), 1.0);
        assert!((gauss(12_500.0, 12_500.0, 0.5) - 0.5).abs() < 1e-12);
        assert!((gauss(25_000.0, 12_500.0, 0.5) - 0.0625).abs() < 1e-12);
    }

    #[test]
    fn what_is_near_enough_lies_in_one_of_the_cells() {
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        for _ in 0..2_000 {
            let center = GeoPoint {
                lat: random.random_range(-90.0..=90.0),
                lon: random.random_range(-180.0..=180.0),
            };
            let radius_m = random.random_range(1.0..60_000.0);
            let Some(cells) = cells_around(center, radius_m, 100_000) else {
                panic!("a small circle has few cells");
            };
            for _ in 0..20 {
                let reach = radius_m / EARTH_RADIUS_M * 57.3;
                let lat: f64 = center.lat + random.random_range(-reach..=reach);
                let spread = (reach / lat.to_radians().cos().abs().max(1e-3)).min(180.0);
                let lon: f64 = center.lon + random.random_range(-spread..=spread);
                let point = GeoPoint {
                    lat: lat.clamp(-90.0, 90.0),
                    lon: (lon + 540.0).rem_euclid(360.0) - 180.0,
                };
                if distance_m(center, point) <= radius_m {
                    assert!(
                        cells.contains(&Cell::of(point)),
                        "{center:?} {radius_m} {point:?}"
                    );
                }
            }
        }
    }
}
