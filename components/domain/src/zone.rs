//! IANA time zones.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// A zone of the IANA database, by its name: `Europe/Berlin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
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
}
