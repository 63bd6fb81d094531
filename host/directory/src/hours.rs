//! Opening hours as people write them: `mon-fri 9-12 13-17; sat 9-13`.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

/// Monday first; the names of the JSON field `hours`.
pub const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Local hours, a list a weekday: the JSON field `hours`.
pub type Week = BTreeMap<&'static str, Vec<u8>>;

/// Reads `mon-fri 9-12 13-17; sat 9-13`: clauses parted by semicolons, each a weekday or a span of
/// weekdays (English, three letters or in full) and then spans of hours, their end exclusive.
pub fn week(text: &str) -> anyhow::Result<Week> {
    let mut week = Week::new();
    for clause in clauses(text) {
        let (days, spans) = clause
            .split_once(char::is_whitespace)
            .with_context(|| format!("{clause:?} has no hours"))?;
        let hours = hours(spans)?;
        for day in weekdays(days)? {
            let earlier = week.insert(day, hours.clone());
            ensure!(earlier.is_none(), "{day} occurs twice");
        }
    }
    Ok(week)
}

/// Reads `2026-12-24 9-12; 2026-12-25 closed`: the hours of single dates.
pub fn exceptions(text: &str) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut dates = BTreeMap::new();
    for clause in clauses(text) {
        let (date, spans) = clause
            .split_once(char::is_whitespace)
            .with_context(|| format!("{clause:?} has no hours; write `{clause} closed`"))?;
        let hours = match spans.trim() {
            "closed" => Vec::new(),
            spans => hours(spans)?,
        };
        let earlier = dates.insert(date.to_owned(), hours);
        ensure!(earlier.is_none(), "{date} occurs twice");
    }
    Ok(dates)
}

/// From one date until another, both included; an item of the JSON field `leave`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Dates {
    from: String,
    until: String,
}

/// Weekly hours for a time; an item of the JSON field `periods`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    valid_from: String,
    /// None: from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    hours: Week,
}

/// Reads `2026-08-03/2026-08-14`, an interval of ISO 8601, or one date. Whether they are dates, the
/// server says.
pub fn dates(text: &str) -> anyhow::Result<Dates> {
    let (from, until) = text.split_once('/').unwrap_or((text, text));
    ensure!(
        !from.is_empty() && !until.is_empty(),
        "{text:?} is not a span of dates like 2026-08-03/2026-08-14"
    );
    Ok(Dates {
        from: from.to_owned(),
        until: until.to_owned(),
    })
}

/// Reads `2027-06-01/2027-08-31 mon-fri 8-12; sat 9-11 | 2027-09-01/ mon-thu 9-17`: weeks, parted by
/// `|`, each behind the dates that it holds for.
pub fn periods(text: &str) -> anyhow::Result<Vec<Period>> {
    let parts = text.split('|').map(str::trim);
    parts.filter(|part| !part.is_empty()).map(period).collect()
}

fn period(text: &str) -> anyhow::Result<Period> {
    let (dates, hours) = text
        .split_once(char::is_whitespace)
        .with_context(|| format!("{text:?} has no hours"))?;
    let (from, until) = dates
        .split_once('/')
        .with_context(|| format!("{dates:?} is not like 2027-06-01/2027-08-31, or 2027-06-01/"))?;
    Ok(Period {
        valid_from: from.to_owned(),
        valid_until: Some(until)
            .filter(|until| !until.is_empty())
            .map(str::to_owned),
        hours: week(hours)?,
    })
}

fn clauses(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .map(str::trim)
        .filter(|clause| !clause.is_empty())
}

fn weekdays(text: &str) -> anyhow::Result<&'static [&'static str]> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (weekday(first)?, weekday(last)?);
    ensure!(first <= last, "{text:?} runs backwards");
    Ok(&WEEKDAYS[first..=last])
}

fn weekday(text: &str) -> anyhow::Result<usize> {
    let lower = text.trim().to_ascii_lowercase();
    WEEKDAYS
        .iter()
        .position(|day| *day == lower || day[..3] == lower)
        .with_context(|| format!("{text:?} is not a weekday"))
}

fn hours(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut hours = Vec::new();
    for span in text.split([' ', ',']).filter(|span| !span.is_empty()) {
        let (start, end) = span
            .split_once('-')
            .with_context(|| format!("{span:?} is not a span of hours like 9-12"))?;
        let (start, end) = (hour(start)?, hour(end)?);
        if start >= end {
            bail!("{span:?} is empty");
        }
        hours.extend(start..end);
    }
    hours.sort_unstable();
    hours.dedup();
    Ok(hours)
}

/// `9`, `09` or `09:00`: only full hours can be booked.
fn hour(text: &str) -> anyhow::Result<u8> {
    let digits = text.strip_suffix(":00").unwrap_or(text);
    digits
        .parse()
        .ok()
        .filter(|hour| *hour <= 24)
        .with_context(|| format!("{text:?} is not a full hour"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_read_as_people_write_it() {
        let week = week("Mon-Wed 9-12 13:00-15:00; saturday 08-10").unwrap();
        assert_eq!(week["monday"], [9, 10, 11, 13, 14]);
        assert_eq!(week["wednesday"], [9, 10, 11, 13, 14]);
        assert_eq!(week["saturday"], [8, 9]);
        assert!(!week.contains_key("thursday"));
    }

    #[test]
    fn what_is_not_a_week_is_named() {
        for (text, complaint) in [
            ("mon", "no hours"),
            ("xyz 9-12", "not a weekday"),
            ("fri-mon 9-12", "backwards"),
            ("mon 12-9", "empty"),
            ("mon 9:30-12", "not a full hour"),
            ("mon 9-25", "not a full hour"),
            ("mon 9-12; mon 13-14", "twice"),
        ] {
            let error = week(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn leave_is_a_span_or_one_date() {
        let span = |from: &str, until: &str| Dates {
            from: from.into(),
            until: until.into(),
        };
        for (text, expected) in [
            ("2026-08-03/2026-08-14", span("2026-08-03", "2026-08-14")),
            ("2026-08-03", span("2026-08-03", "2026-08-03")),
        ] {
            assert_eq!(dates(text).unwrap(), expected);
        }
        assert!(dates("2026-08-03/").is_err());
    }

    #[test]
    fn a_period_has_dates_and_a_week() {
        let all =
            periods("2027-06-01/2027-08-31 mon 8-10; sat 9-10 | 2027-09-01/ tue 9-11").unwrap();
        let json = serde_json::to_value(&all).unwrap();
        let expected = serde_json::json!([
            {
                "valid_from": "2027-06-01",
                "valid_until": "2027-08-31",
                "hours": { "monday": [8, 9], "saturday": [9] },
            },
            { "valid_from": "2027-09-01", "hours": { "tuesday": [9, 10] } },
        ]);
        assert_eq!(json, expected);
        for (text, complaint) in [
            ("2027-06-01/", "no hours"),
            ("2027-06-01 mon 8-10", "not like"),
            ("2027-06-01/ xyz 8-10", "not a weekday"),
        ] {
            let error = periods(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn a_date_can_be_closed_or_have_its_own_hours() {
        let dates = exceptions("2026-12-24 9-12; 2026-12-25 closed").unwrap();
        assert_eq!(dates["2026-12-24"], [9, 10, 11]);
        assert!(dates["2026-12-25"].is_empty());
    }
}
