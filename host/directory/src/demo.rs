//! `praxis demo-directory`: invented practitioners in real facilities.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use uuid::{Uuid, uuid};

use crate::csv_file::time_zone;
use crate::hours::Week;

mod people;
mod schedule;
mod specialties;

/// The ids of this command's practitioners are made from this name space.
const NAMESPACE: Uuid = uuid!("9d0a3c52-6a5e-5b0c-8f1e-0d7a51b4c3e9");

const PRACTITIONERS_PER_FACILITY_MAX: u32 = 6;

const PRACTITIONERS_MAX: u64 = 10_000_000;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// CSV (RFC 4180) with the columns facility_id, country, name, address, city, region, postcode,
    /// lat, lon.
    facilities: PathBuf,
    /// The same seed makes the same directory.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many practitioners. More than there are places for work in further shifts, made with the
    /// seeds that follow; without it, everybody of the first shift.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=PRACTITIONERS_MAX))]
    practitioners: Option<u64>,
    /// Where the NDJSON goes; by default to the standard output.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let path = &arguments.facilities;
    let input = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let (seed, wanted) = (arguments.seed, arguments.practitioners);
    let count = match &arguments.out {
        Some(path) => {
            let file = create(path)?;
            generate(input, seed, wanted, BufWriter::new(file))?
        }
        None => generate(
            input,
            seed,
            wanted,
            BufWriter::new(std::io::stdout().lock()),
        )?,
    };
    eprintln!("{count} practitioners");
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("could not write {}", path.display()))
}

/// A row of the facilities file.
#[derive(Debug, Deserialize)]
struct Facility {
    facility_id: String,
    country: String,
    name: String,
    address: String,
    city: String,
    postcode: String,
    lat: f64,
    lon: f64,
}

/// A line of the directory, as `PUT /v1/practitioners/{id}` takes it.
#[derive(Debug, Serialize)]
struct Practitioner {
    practitioner_id: Uuid,
    tenant: String,
    name: String,
    specialty: &'static str,
    practice: String,
    address: String,
    city: String,
    country: String,
    location: Location,
    time_zone: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<f64>,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    locale: &'static str,
    languages: Vec<&'static str>,
    telehealth: bool,
    hours: Week,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exceptions: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Location {
    lat: f64,
    lon: f64,
}

/// Answers how many were made.
fn generate(
    facilities: impl Read,
    seed: u64,
    wanted: Option<u64>,
    mut out: impl Write,
) -> anyhow::Result<u64> {
    let rows = csv::Reader::from_reader(facilities).into_deserialize();
    let facilities: Vec<Facility> = rows
        .collect::<Result<_, _>>()
        .context("could not read the facilities")?;
    ensure!(!facilities.is_empty(), "there is no facility in the file");
    let mut count = 0;
    for shift in 0.. {
        for facility in &facilities {
            for practitioner in staff(facility, seed.wrapping_add(shift))? {
                if Some(count) == wanted {
                    break;
                }
                serde_json::to_writer(&mut out, &practitioner).context("could not write")?;
                out.write_all(b"\n").context("could not write")?;
                count += 1;
            }
        }
        if wanted.is_none_or(|wanted| count >= wanted) {
            break;
        }
    }
    out.flush().context("could not write")?;
    Ok(count)
}

/// The people of one facility. They follow from the seed and the facility alone: a facility more
/// or less in the file changes nobody else.
fn staff(facility: &Facility, seed: u64) -> anyhow::Result<Vec<Practitioner>> {
    let id = &facility.facility_id;
    ensure!(
        (-90.0..=90.0).contains(&facility.lat) && (-180.0..=180.0).contains(&facility.lon),
        "the facility {id} is not on earth"
    );
    let zone = time_zone(facility.lat, facility.lon);
    ensure!(!zone.is_empty(), "the facility {id} lies in no time zone");
    let origin = Uuid::new_v5(&NAMESPACE, format!("{seed}/{id}").as_bytes());
    let mut chance = ChaCha8Rng::seed_from_u64(origin.as_u64_pair().0);
    // What was added later has a chance of its own, so that people stay who they were.
    let mut also = ChaCha8Rng::seed_from_u64(origin.as_u64_pair().1);
    let nation = people::nation(&facility.country);
    let count = headcount(&mut chance);
    Ok((1..=count)
        .map(|number| {
            let name = nation.name(&mut chance);
            Practitioner {
                practitioner_id: Uuid::new_v5(&origin, &number.to_be_bytes()),
                tenant: tenant(id),
                specialty: specialties::pick(&facility.name, &mut chance),
                practice: clean(&facility.name),
                address: address(facility),
                city: clean(&facility.city),
                country: facility.country.clone(),
                location: Location {
                    lat: facility.lat,
                    lon: facility.lon,
                },
                time_zone: zone,
                rating: rating(&mut chance),
                email: format!("p{number}@{}.example", tenant(id)),
                phone: nation.phone(&mut chance),
                locale: nation.locale,
                hours: schedule::week(&mut chance),
                languages: people::languages(nation.locale, &mut also),
                telehealth: also.random_ratio(1, 4),
                exceptions: BTreeMap::new(),
                name,
            }
        })
        .collect())
}

/// One to six; small practices are the rule.
fn headcount(chance: &mut ChaCha8Rng) -> u32 {
    let first = chance.random_range(1..=PRACTITIONERS_PER_FACILITY_MAX);
    first.min(chance.random_range(1..=PRACTITIONERS_PER_FACILITY_MAX))
}

/// Two to five stars, most of them around four; one in twelve has not been rated.
fn rating(chance: &mut ChaCha8Rng) -> Option<f64> {
    if chance.random_ratio(1, 12) {
        return None;
    }
    let spread = f64::from(chance.random_range(0..=15_u32) + chance.random_range(0..=15_u32));
    Some((2.0 + spread / 10.0).min(5.0))
}

/// A tenant's id is made of lower-case letters, digits and hyphens.
fn tenant(facility_id: &str) -> String {
    facility_id
        .to_ascii_lowercase()
        .replace(|letter: char| !letter.is_ascii_alphanumeric(), "-")
}

fn address(facility: &Facility) -> String {
    let street = clean(&facility.address);
    let place = clean(&format!("{} {}", facility.postcode, facility.city));
    match (street.is_empty(), place.is_empty()) {
        (false, false) => format!("{street}, {place}"),
        (true, _) => place,
        (false, true) => street,
    }
}

/// One line, single spaces; the `nan` that some rows hold for a missing house number goes.
fn clean(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != "nan")
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;

    const FACILITIES: &str = "facility_id,country,name,address,city,region,postcode,lat,lon\n\
        de-1,DE,\"Haus\n\"\"Mitte\"\"\",Weg nan,Berlin,Berlin,10115,52.53,13.38\n\
        es-2,ES,Centro de Salud,,Las Palmas,Canarias,,28.12,-15.43\n\
        ie-3,IE,Dental Care,Quay 1,Cork,Munster,,51.9,-8.47\n";

    fn directory(facilities: &str, seed: u64) -> Vec<Value> {
        of(facilities, seed, None)
    }

    fn of(facilities: &str, seed: u64, wanted: Option<u64>) -> Vec<Value> {
        let mut out = Vec::new();
        generate(facilities.as_bytes(), seed, wanted, &mut out).unwrap();
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_directory() {
        assert_eq!(directory(FACILITIES, 7), directory(FACILITIES, 7));
        assert_ne!(directory(FACILITIES, 7), directory(FACILITIES, 8));
    }

    #[test]
    fn a_facility_more_changes_nobody_else() {
        let (without_last, _) = FACILITIES.split_at(FACILITIES.find("ie-3").unwrap());
        let (all, fewer) = (directory(FACILITIES, 1), directory(without_last, 1));
        assert_eq!(all[..fewer.len()], fewer);
    }

    #[test]
    fn a_facility_has_one_to_six_people_and_its_own_zone() {
        for seed in 0..50 {
            let directory = directory(FACILITIES, seed);
            for (tenant, zone) in [
                ("de-1", "Europe/Berlin"),
                ("es-2", "Atlantic/Canary"),
                ("ie-3", "Europe/Dublin"),
            ] {
                let staff: Vec<_> = directory.iter().filter(|p| p["tenant"] == tenant).collect();
                assert!((1..=6).contains(&staff.len()));
                assert!(staff.iter().all(|p| p["time_zone"] == zone));
            }
            let ids: HashSet<_> = directory
                .iter()
                .map(|p| p["practitioner_id"].as_str())
                .collect();
            assert_eq!(ids.len(), directory.len());
        }
    }

    #[test]
    fn as_many_are_made_as_are_wanted_and_the_first_are_the_same() {
        let all = directory(FACILITIES, 3);
        let more = of(FACILITIES, 3, Some(100));
        assert_eq!(more.len(), 100);
        assert_eq!(more[..all.len()], all);
        let ids: HashSet<_> = more
            .iter()
            .map(|p| p["practitioner_id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 100);
        assert_eq!(of(FACILITIES, 3, Some(2)), all[..2]);
    }

    #[test]
    fn what_is_written_is_tidy() {
        let directory = directory(FACILITIES, 1);
        assert_eq!(directory[0]["practice"], "Haus \"Mitte\"");
        assert_eq!(directory[0]["address"], "Weg, 10115 Berlin");
        for practitioner in &directory {
            for hours in practitioner["hours"].as_object().unwrap().values() {
                let hours: Vec<u64> = serde_json::from_value(hours.clone()).unwrap();
                assert!(!hours.is_empty() && hours.is_sorted() && hours.iter().all(|h| *h < 24));
            }
        }
    }

    #[test]
    fn the_directory_that_comes_along_is_of_this_shape() {
        let mut ids = HashSet::new();
        for line in crate::DEMO.lines() {
            let practitioner: Value = serde_json::from_str(line).unwrap();
            let location = &practitioner["location"];
            let zone = time_zone(
                location["lat"].as_f64().unwrap(),
                location["lon"].as_f64().unwrap(),
            );
            assert_eq!(practitioner["time_zone"], zone);
            assert!(ids.insert(practitioner["practitioner_id"].clone()));
        }
        assert!(ids.len() >= 50, "{}", ids.len());
    }
}
