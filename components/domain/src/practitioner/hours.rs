//! When a practitioner works, as somebody puts it into the directory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde_json::Value;

use super::WEEKDAYS;
use super::fields::Fields;
use crate::calendar::{NamedDate, NotNamed};
use crate::mask::{HOURS_PER_DAY, Mask};
use crate::schedule::{Period, Span, Spans, Week};
use crate::terms::{HORIZON_DAYS_MAX, LEAD_MINUTES_MAX, NoTerms, Terms};

/// Dates with hours of their own.
pub const EXCEPTIONS_MAX: usize = 400;
/// Dates on which nobody works.
pub const HOLIDAYS_MAX: usize = 200;
/// Times away.
pub const LEAVE_MAX: usize = 100;
/// Weeks that hold for a time.
pub const PERIODS_MAX: usize = 50;

const NO_DATE: &str = "must be a date, like 2026-12-24";

pub fn week(fields: &mut Fields) -> Option<Week> {
    let mut days = fields.object("hours", &WEEKDAYS)?;
    let week = WEEKDAYS.map(|day| match days.take(day) {
        Some(value) => mask(&mut days, day, &value),
        None => Mask::NONE,
    });
    fields.adopt("hours", days);
    Some(week)
}

pub fn exceptions(fields: &mut Fields) -> Option<BTreeMap<Date, Mask>> {
    let Some(mut dates) = fields.optional_object("exceptions") else {
        return Some(BTreeMap::new());
    };
    let given = dates.take_all();
    if given.len() > EXCEPTIONS_MAX {
        let detail = format!("must have {EXCEPTIONS_MAX} dates at most");
        fields.error("exceptions", detail);
        return None;
    }
    let mut exceptions = BTreeMap::new();
    for (name, value) in given {
        let mask = mask(&mut dates, &name, &value);
        match name.parse() {
            Ok(NamedDate(date)) => drop(exceptions.insert(date, mask)),
            Err(NotNamed) => dates.error(&name, NO_DATE),
        }
    }
    fields.adopt("exceptions", dates);
    Some(exceptions)
}

/// A list of local hours.
fn mask(days: &mut Fields, day: &str, value: &Value) -> Mask {
    let Value::Array(hours) = value else {
        days.error(day, "must be a list of hours, like [9, 10, 11]");
        return Mask::NONE;
    };
    let mut mask = Mask::NONE;
    for (index, hour) in hours.iter().enumerate() {
        let hour = hour.as_u64().and_then(|hour| u8::try_from(hour).ok());
        match hour.filter(|hour| *hour < HOURS_PER_DAY) {
            Some(hour) => mask = mask.with(hour),
            None => {
                days.error_at(day, index, "must be an hour from 0 to 23");
                break;
            }
        }
    }
    mask
}

/// Each of them is read, by when it begins; none begins before the one before it has ended.
pub fn periods(fields: &mut Fields) -> Option<Vec<Period>> {
    let known = ["valid_from", "valid_until", "hours"];
    let mut read: Vec<(usize, Period)> = Vec::new();
    for (index, mut period) in fields.objects("periods", &known, PERIODS_MAX)? {
        let valid_from = date(&mut period, "valid_from", true);
        let valid_until = date(&mut period, "valid_until", false);
        if let (Some(from), Some(until)) = (valid_from, valid_until)
            && until < from
        {
            period.error("valid_until", "must not be before valid_from");
        }
        let week = week(&mut period);
        let is_right = period.is_right();
        fields.adopt_at("periods", index, period);
        if let (true, Some(valid_from), Some(week)) = (is_right, valid_from, week) {
            let period = Period {
                valid_from,
                valid_until,
                week,
            };
            read.push((index, period));
        }
    }
    read.sort_by_key(|(_, period)| period.valid_from);
    for pair in read.windows(2) {
        let ((before, one), (index, next)) = (&pair[0], &pair[1]);
        if one.holds_on(next.valid_from) {
            let detail = format!("must not begin before the period at /periods/{before} has ended");
            fields.error_within("periods", *index, "valid_from", detail);
        }
    }
    Some(read.into_iter().map(|(_, period)| period).collect())
}

pub fn leave(fields: &mut Fields) -> Option<Spans> {
    let mut spans = Vec::new();
    for (index, mut span) in fields.objects("leave", &["from", "until"], LEAVE_MAX)? {
        let from = date(&mut span, "from", true);
        let until = date(&mut span, "until", true);
        if let (Some(from), Some(until)) = (from, until) {
            match Span::new(from, until) {
                Ok(span) => spans.push(span),
                Err(backwards) => span.error("until", backwards.to_string()),
            }
        }
        fields.adopt_at("leave", index, span);
    }
    Some(Spans::of(spans))
}

pub fn holidays(fields: &mut Fields) -> Option<BTreeSet<Date>> {
    let mut holidays = BTreeSet::new();
    for (index, value) in fields.list("holidays", HOLIDAYS_MAX)?.iter().enumerate() {
        match value.as_str().map(str::parse) {
            Some(Ok(NamedDate(date))) => drop(holidays.insert(date)),
            Some(Err(NotNamed)) | None => fields.error_at("holidays", index, NO_DATE),
        }
    }
    Some(holidays)
}

/// What is left out is as it is for everybody.
pub fn terms(fields: &mut Fields) -> Option<Terms> {
    let usual = Terms::default();
    let lead = fields.whole_number("lead_minutes", 0, LEAD_MINUTES_MAX);
    let horizon = fields.whole_number("horizon_days", 1, HORIZON_DAYS_MAX);
    let lead = lead.unwrap_or(usual.lead_minutes());
    match Terms::new(lead, horizon.unwrap_or(usual.horizon_days())) {
        Ok(terms) => Some(terms),
        Err(refusal @ (NoTerms::Lead | NoTerms::LeadBeyondHorizon)) => {
            fields.error("lead_minutes", refusal.to_string());
            None
        }
        Err(refusal @ NoTerms::Horizon) => {
            fields.error("horizon_days", refusal.to_string());
            None
        }
    }
}

fn date(fields: &mut Fields, name: &str, is_needed: bool) -> Option<Date> {
    let Some(value) = fields.take(name) else {
        if is_needed {
            fields.error(name, "is missing");
        }
        return None;
    };
    match value.as_str().map(str::parse) {
        Some(Ok(NamedDate(date))) => Some(date),
        Some(Err(NotNamed)) | None => {
            fields.error(name, NO_DATE);
            None
        }
    }
}
