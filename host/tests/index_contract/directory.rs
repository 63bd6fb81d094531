//! The documents that both adapters are compared on: the directory that `praxis demo-directory`
//! makes of real facilities, or of invented ones where those are not at hand.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use praxis_host::capabilities::index::geo::distance_m;
use praxis_host::capabilities::index::words::words;
use praxis_host::capabilities::index::{Change, GeoPoint, Value};
use rand::Rng as _;
use rand::rngs::StdRng;

use crate::shops::*;

/// Real facilities lie beside the project, not in it: where they are missing, invented ones are no
/// smaller a test.
const FACILITIES: &str = "../../shared/data/facilities.csv";
const FACILITIES_MAX: usize = 120;
/// So that a search of an hour's drive finds some of them, and not all.
const REGION_M: f64 = 120_000.0;
/// Fewer are passed over for another region.
const FACILITIES_MIN: usize = 60;
pub const SHOPS_MAX: usize = 220;

/// A practitioner as a shop: the specialty is the trade, the rating the stars.
#[derive(Debug, Clone)]
pub struct Shop {
    pub id: String,
    pub name: Option<String>,
    pub trade: Option<String>,
    pub place: Option<GeoPoint>,
    pub stars: Option<f64>,
    pub active: Option<bool>,
    pub opens: Option<i64>,
    pub tongues: Vec<String>,
}

impl Shop {
    /// As two sources tell it, the second time over what they told first.
    pub fn changes(&self, version: u64) -> [Change; 2] {
        let text = |text: &Option<String>, of: fn(String) -> Value| text.clone().map(of);
        let fields = [
            ("name", text(&self.name, Value::Text)),
            ("trade", text(&self.trade, Value::Keyword)),
            ("place", self.place.map(Value::Geo)),
            ("stars", self.stars.map(Value::Number)),
            ("active", self.active.map(Value::Boolean)),
            ("tongues", several(&self.tongues)),
        ];
        let fields = fields.map(|(name, value)| field(name, value.unwrap_or(Value::Absent)));
        let opens = self.opens.map_or(Value::Absent, Value::Date);
        let mut hours = hours(&self.id, version, 0);
        hours.fields = vec![field("opens", opens)];
        [shop(&self.id, version, fields.into()), hours]
    }

    fn is_called(&self, asked: &str) -> f64 {
        let held = words(self.name.as_deref().unwrap_or_default());
        let asked = words(asked);
        let last = asked.len().saturating_sub(1);
        let begins = |word: &String| held.iter().any(|held| held.starts_with(word));
        let each = asked.iter().enumerate().map(|(at, word)| match word {
            word if held.contains(word) => 1.0,
            word if at == last && begins(word) => BEGINNING,
            _ => OTHERWISE,
        });
        each.product()
    }

    /// The factors of its score, as the contract has them.
    pub fn score(
        &self,
        origin: Option<(GeoPoint, f64)>,
        missing: Option<f64>,
        asked: Option<&str>,
    ) -> f64 {
        let far = |(from, scale_m): (GeoPoint, f64)| {
            let place = self.place?;
            Some(0.5_f64.powf((distance_m(from, place) / scale_m).powi(2)))
        };
        origin.and_then(far).unwrap_or(1.0)
            * missing.map_or(1.0, |missing| self.stars.unwrap_or(missing))
            * asked.map_or(1.0, |asked| self.is_called(asked))
    }
}

fn several(all: &[String]) -> Option<Value> {
    (!all.is_empty()).then(|| Value::Keywords(all.to_vec()))
}

/// Some of them lack this or that.
pub fn shops(random: &mut StdRng) -> Vec<Shop> {
    let csv = real_facilities(random).unwrap_or_else(|| {
        eprintln!("there is no {FACILITIES}: the facilities are invented");
        invented_facilities(random)
    });
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out"));
    std::fs::write(&input, csv).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_praxis"))
        .arg("demo-directory")
        .arg(&input)
        .arg("--out")
        .arg(&output)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let lines = std::fs::read_to_string(output).unwrap();
    let lines = lines.lines().take(SHOPS_MAX);
    let shops: Vec<_> = lines.map(|line| read(line, random)).collect();
    assert!(shops.len() > SHOPS_MAX / 2, "only {} shops", shops.len());
    shops
}

fn read(line: &str, random: &mut StdRng) -> Shop {
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let place = &json["location"];
    let place = GeoPoint {
        lat: place["lat"].as_f64().unwrap(),
        lon: place["lon"].as_f64().unwrap(),
    };
    let mut mostly = |part: f64| random.random_bool(part);
    Shop {
        id: text("practitioner_id").unwrap(),
        name: text("name").filter(|_| mostly(0.97)),
        trade: text("specialty").filter(|_| mostly(0.97)),
        place: Some(place).filter(|_| mostly(0.97)),
        stars: json["rating"].as_f64(),
        active: Some(mostly(0.85)).filter(|_| mostly(0.97)),
        tongues: json["languages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect(),
        opens: mostly(0.9).then(|| random.random_range(0..OPENS_MAX) * HOUR_MS),
    }
}

/// Hours, within four weeks.
pub const OPENS_MAX: i64 = 28 * 24;
pub const HOUR_MS: i64 = 3_600_000;

/// Those of one region, the same with the same seed.
fn real_facilities(random: &mut StdRng) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FACILITIES);
    let text = std::fs::read_to_string(path).ok()?;
    let (head, rows) = text.split_once('\n').unwrap();
    // Rows that a line break goes through are left out, and so read as no row.
    let all = rows.lines().filter_map(|row| Some((row, place(row)?)));
    let all: Vec<_> = all.collect();
    let rows = loop {
        let (_, middle) = all[random.random_range(0..all.len())];
        let far = all
            .iter()
            .map(|(row, place)| (distance_m(middle, *place), *row));
        let mut near: Vec<_> = far.filter(|(far, _)| *far < REGION_M).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        if near.len() >= FACILITIES_MIN {
            break near;
        }
    };
    let step = rows.len().div_ceil(FACILITIES_MAX);
    let rows: Vec<_> = rows.iter().step_by(step).map(|(_, row)| *row).collect();
    Some(format!("{head}\n{}\n", rows.join("\n")))
}

/// Of a row without line breaks: the last two columns are plain numbers.
fn place(row: &str) -> Option<GeoPoint> {
    let mut columns = row.rsplit(',');
    let (lon, lat) = (columns.next()?.parse().ok()?, columns.next()?.parse().ok()?);
    let is_whole = row.matches('"').count().is_multiple_of(2) && row.matches(',').count() >= 8;
    is_whole.then_some(GeoPoint { lat, lon })
}

fn invented_facilities(random: &mut StdRng) -> String {
    let mut csv = String::from("facility_id,country,name,address,city,region,postcode,lat,lon\n");
    for number in 0..FACILITIES_MAX {
        // Six decimals, as the real ones have them: JSON keeps them to the bit.
        let mut about = |degrees: f64| degrees + random.random_range(-0.9..0.9);
        let (lat, lon) = (about(MUNICH.lat), about(MUNICH.lon));
        let country = ["DE", "FR", "PL"][number % 3];
        writeln!(
            csv,
            "x-{number},{country},Haus {number},,,,,{lat:.6},{lon:.6}"
        )
        .unwrap();
    }
    csv
}
