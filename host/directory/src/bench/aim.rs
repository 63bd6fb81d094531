//! What is asked for: searches where practitioners are, and slots that they have.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, ensure};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::client::Client;

/// Practitioners that are kept of a directory, each as probable as every other.
const SAMPLE_MAX: usize = 20_000;

/// Where it searches without a directory: the middle of places that the demo has, too.
const CITIES: [(f64, f64); 8] = [
    (52.52, 13.405),
    (53.551, 9.993),
    (51.507, -0.128),
    (48.857, 2.352),
    (40.417, -3.704),
    (41.903, 12.496),
    (52.23, 21.012),
    (52.373, 4.893),
];
const SPECIALTIES: [&str; 4] = [
    "general-practice",
    "paediatrics",
    "dermatology",
    "dentistry",
];

/// What somebody looks for, and where.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub lat: f64,
    pub lon: f64,
    pub specialty: String,
}

pub struct Aim {
    searches: Vec<Wanted>,
    practitioners: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    practitioner_id: String,
    specialty: String,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    lat: f64,
    lon: f64,
}

impl Aim {
    pub fn of_directory(path: &Path, chance: &mut ChaCha8Rng) -> anyhow::Result<Self> {
        let file =
            File::open(path).with_context(|| format!("could not open {}", path.display()))?;
        let mut sample: Vec<Line> = Vec::new();
        for (number, text) in BufReader::new(file).lines().enumerate() {
            let text = text.with_context(|| format!("could not read {}", path.display()))?;
            let at = match sample.len() < SAMPLE_MAX {
                true => sample.len(),
                false => chance.random_range(0..=number),
            };
            if at >= SAMPLE_MAX {
                continue;
            }
            let line: Line = serde_json::from_str(&text)
                .with_context(|| format!("line {} of {} is nobody", number + 1, path.display()))?;
            match sample.get_mut(at) {
                Some(other) => *other = line,
                None => sample.push(line),
            }
        }
        ensure!(!sample.is_empty(), "there is nobody in {}", path.display());
        let mut aim = Self {
            searches: Vec::with_capacity(sample.len()),
            practitioners: Vec::with_capacity(sample.len()),
        };
        for line in sample {
            let Location { lat, lon } = line.location;
            aim.searches.push(Wanted {
                lat,
                lon,
                specialty: line.specialty,
            });
            aim.practitioners.push(line.practitioner_id);
        }
        Ok(aim)
    }

    pub async fn of_cities(client: &Client) -> anyhow::Result<Self> {
        let mut aim = Self {
            searches: Vec::new(),
            practitioners: Vec::new(),
        };
        for (lat, lon) in CITIES {
            for specialty in SPECIALTIES {
                let wanted = Wanted {
                    lat,
                    lon,
                    specialty: specialty.to_owned(),
                };
                let found = client.search(&wanted).await;
                let found = found.map_err(|why| anyhow::anyhow!("could not search: {why}"))?;
                let ids = found.into_iter().map(|item| item.practitioner_id);
                aim.practitioners.extend(ids);
                aim.searches.push(wanted);
            }
        }
        ensure!(
            !aim.practitioners.is_empty(),
            "it finds nobody: import a directory first"
        );
        Ok(aim)
    }

    pub fn search(&self, chance: &mut ChaCha8Rng) -> Wanted {
        self.searches[chance.random_range(0..self.searches.len())].clone()
    }

    pub fn practitioners(&self) -> &[String] {
        &self.practitioners
    }

    pub fn practitioner(&self, chance: &mut ChaCha8Rng) -> &str {
        &self.practitioners[chance.random_range(0..self.practitioners.len())]
    }
}
