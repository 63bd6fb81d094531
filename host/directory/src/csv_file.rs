//! A CSV file of practitioners, row by row turned into the lines of an import.

use std::io::Read;
use std::sync::OnceLock;

use anyhow::{Context as _, ensure};
use csv::StringRecord;
use serde_json::{Map, Value, json};
use tzf_rs::DefaultFinder;

use crate::hours;
use crate::import::Line;

/// The columns that there may be, in any order. An empty cell is the same as no cell.
const COLUMNS: [&str; 27] = [
    "practitioner_id",
    "tenant",
    "person_id",
    "subject",
    "name",
    "specialty",
    "practice",
    "address",
    "city",
    "country",
    "lat",
    "lon",
    "time_zone",
    "rating",
    "email",
    "phone",
    "locale",
    "hours",
    "exceptions",
    "active",
    "languages",
    "telehealth",
    "periods",
    "holidays",
    "leave",
    "lead_minutes",
    "horizon_days",
];

const COLUMNS_REQUIRED: [&str; 6] = ["name", "specialty", "country", "lat", "lon", "hours"];

/// The lines of a CSV file (RFC 4180, UTF-8, a header first). A row that cannot be read is a bad
/// line; a header that cannot be read fails the whole file.
pub fn lines(reader: impl Read) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Line>>> {
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(reader);
    let header = rows.headers().context("could not read the header")?;
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    check(&header)?;
    Ok(rows.into_records().map(move |row| match row {
        Ok(row) => Ok(line(&header, &row)),
        Err(error) => match error.position() {
            Some(position) => Ok(Line::bad(position.line(), "not UTF-8")),
            None => Err(error).context("could not read the file"),
        },
    }))
}

fn check(header: &[String]) -> anyhow::Result<()> {
    for name in header {
        ensure!(
            COLUMNS.contains(&name.as_str()),
            "the column {name:?} is not known; known are {}",
            COLUMNS.join(", ")
        );
    }
    for name in COLUMNS_REQUIRED {
        let times = header.iter().filter(|column| *column == name).count();
        ensure!(
            times == 1,
            "the column {name:?} occurs {times} times, not once"
        );
    }
    Ok(())
}

fn line(header: &[String], row: &StringRecord) -> Line {
    let number = row.position().map_or(0, csv::Position::line);
    match practitioner(header, row) {
        Ok(practitioner) => Line::good(number, practitioner.to_string()),
        Err(error) => Line::bad(number, format!("{error:#}")),
    }
}

fn practitioner(header: &[String], row: &StringRecord) -> anyhow::Result<Value> {
    ensure!(
        row.len() == header.len(),
        "{} cells, but {} columns",
        row.len(),
        header.len()
    );
    let mut fields = Map::new();
    let mut position = (None, None);
    for (column, cell) in header.iter().zip(row) {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        match column.as_str() {
            "lat" => position.0 = Some(number(column, cell)?),
            "lon" => position.1 = Some(number(column, cell)?),
            "rating" => drop(fields.insert(column.clone(), json!(number(column, cell)?))),
            "active" | "telehealth" => {
                drop(fields.insert(column.clone(), json!(flag(column, cell)?)));
            }
            "lead_minutes" | "horizon_days" => {
                drop(fields.insert(column.clone(), json!(whole_number(column, cell)?)));
            }
            "languages" | "holidays" => {
                drop(fields.insert(column.clone(), json!(items(cell).collect::<Vec<_>>())));
            }
            "leave" => {
                let spans = items(cell).map(hours::dates).collect::<Result<Vec<_>, _>>();
                fields.insert(column.clone(), json!(spans.context("leave")?));
            }
            "periods" => {
                let periods = hours::periods(cell).context("periods")?;
                fields.insert(column.clone(), json!(periods));
            }
            "hours" => {
                drop(fields.insert(column.clone(), json!(hours::week(cell).context("hours")?)))
            }
            "exceptions" => {
                let dates = hours::exceptions(cell).context("exceptions")?;
                fields.insert(column.clone(), json!(dates));
            }
            _ => drop(fields.insert(column.clone(), json!(cell))),
        }
    }
    if let (Some(lat), Some(lon)) = position {
        fields.insert("location".to_owned(), json!({ "lat": lat, "lon": lon }));
        if !fields.contains_key("time_zone") {
            fields.insert("time_zone".to_owned(), json!(time_zone(lat, lon)));
        }
    }
    Ok(Value::Object(fields))
}

fn number(column: &str, cell: &str) -> anyhow::Result<f64> {
    cell.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .with_context(|| format!("{column}: {cell:?} is not a number"))
}

fn whole_number(column: &str, cell: &str) -> anyhow::Result<u32> {
    let number = cell.parse();
    number.with_context(|| format!("{column}: {cell:?} is not a whole number"))
}

/// What stands between commas, semicolons or spaces.
fn items(cell: &str) -> impl Iterator<Item = &str> {
    let items = cell.split([',', ';', ' ']);
    items.filter(|item| !item.is_empty())
}

fn flag(column: &str, cell: &str) -> anyhow::Result<bool> {
    cell.to_ascii_lowercase()
        .parse()
        .with_context(|| format!("{column}: {cell:?} is neither true nor false"))
}

/// The IANA time zone of a place on earth.
pub fn time_zone(lat: f64, lon: f64) -> &'static str {
    static ZONES: OnceLock<DefaultFinder> = OnceLock::new();
    ZONES.get_or_init(DefaultFinder::new).get_tz_name(lon, lat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Line> {
        lines(text.as_bytes())
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn a_row_becomes_a_practitioner() {
        let lines = read(
            "name,specialty,country,lat,lon,hours,rating,active,practice,email,person_id\n\
             \"Weiß, Anna\",dermatology,DE,52.5,13.4,mon-tue 9-11,4.5,TRUE,\"Haus\n\"\"Mitte\"\"\",,\
             018f0000-0000-7000-8000-000000000001\n",
        );
        let practitioner: Value = serde_json::from_str(lines[0].text.as_ref().unwrap()).unwrap();
        assert_eq!(
            practitioner,
            json!({
                "name": "Weiß, Anna",
                "specialty": "dermatology",
                "country": "DE",
                "location": { "lat": 52.5, "lon": 13.4 },
                "time_zone": "Europe/Berlin",
                "hours": { "monday": [9, 10], "tuesday": [9, 10] },
                "rating": 4.5,
                "active": true,
                "practice": "Haus\n\"Mitte\"",
                "person_id": "018f0000-0000-7000-8000-000000000001",
            })
        );
    }

    #[test]
    fn a_row_says_all_of_when_and_how_somebody_works() {
        let lines = read(
            "name,specialty,country,lat,lon,hours,languages,telehealth,periods,holidays,leave,\
             lead_minutes,horizon_days\n\
             A,ent,DE,52.5,13.4,mon 9-10,\"de, tr\",true,2027-06-01/ tue 9-10,\
             2026-12-25;2026-12-26,2026-08-03/2026-08-14 2026-09-01,120,90\n",
        );
        let practitioner: Value = serde_json::from_str(lines[0].text.as_ref().unwrap()).unwrap();
        for (field, expected) in [
            ("languages", json!(["de", "tr"])),
            ("telehealth", json!(true)),
            (
                "periods",
                json!([{ "valid_from": "2027-06-01", "hours": { "tuesday": [9] } }]),
            ),
            ("holidays", json!(["2026-12-25", "2026-12-26"])),
            (
                "leave",
                json!([
                    { "from": "2026-08-03", "until": "2026-08-14" },
                    { "from": "2026-09-01", "until": "2026-09-01" },
                ]),
            ),
            ("lead_minutes", json!(120)),
            ("horizon_days", json!(90)),
        ] {
            assert_eq!(practitioner[field], expected, "{field}");
        }
    }

    #[test]
    fn bad_rows_are_told_by_line_and_do_not_stop_the_rest() {
        let lines = read(
            "name,specialty,country,lat,lon,hours\n\
             A,ent,DE,x,13,mon 9-11\n\
             B,ent,DE,52,13\n\
             C,ent,DE,52,13,mon 9-11\n",
        );
        assert_eq!(
            lines.iter().map(|line| line.number).collect::<Vec<_>>(),
            [2, 3, 4]
        );
        assert_eq!(
            lines[0].text.as_ref().unwrap_err(),
            "lat: \"x\" is not a number"
        );
        assert_eq!(
            lines[1].text.as_ref().unwrap_err(),
            "5 cells, but 6 columns"
        );
        assert!(lines[2].text.is_ok());
    }

    #[test]
    fn a_wrong_header_fails_the_file() {
        let error = lines("name,doctor\n".as_bytes()).err().unwrap().to_string();
        assert!(error.contains("\"doctor\" is not known"), "{error}");
        let error = lines("name,specialty\n".as_bytes())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("\"country\" occurs 0 times"), "{error}");
    }

    #[test]
    fn the_zone_follows_from_the_place() {
        assert_eq!(time_zone(28.1, -15.4), "Atlantic/Canary");
        assert_eq!(time_zone(-34.93, 138.6), "Australia/Adelaide");
    }
}
