//! A slot: one local hour of a practitioner, `[start, end)`.

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use crate::zone::Zone;

/// One local hour. An hour that daylight saving skips is no slot; of an hour that it repeats,
/// the first occurrence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    start: Timestamp,
    date: Date,
    hour: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the first occurrence of a full local hour")]
pub struct Misaligned;

impl Slot {
    /// The slot that starts at an instant.
    pub fn parse(start: Timestamp, zone: &Zone) -> Result<Self, Misaligned> {
        let local = zone.local(start);
        let hour = u8::try_from(local.hour()).expect("jiff's hours are 0 to 23");
        let slot = Self::at(local.date(), hour, zone).ok_or(Misaligned)?;
        // Also false for 09:30, and for the second 02:00 of a long night.
        if slot.start == start {
            Ok(slot)
        } else {
            Err(Misaligned)
        }
    }

    /// The slot of a local hour, or none where daylight saving skips it.
    pub fn at(date: Date, hour: u8, zone: &Zone) -> Option<Self> {
        let start = zone.first(hour_of(date, hour))?;
        Some(Self { start, date, hour })
    }

    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Exclusive: 10:00–11:00 and 11:00–12:00 do not overlap.
    pub fn end(&self) -> Timestamp {
        self.start
            .saturating_add(SignedDuration::from_hours(1))
            .expect("an hour has no calendar units")
    }

    pub fn date(&self) -> Date {
        self.date
    }

    pub fn hour(&self) -> u8 {
        self.hour
    }

    /// `09:00`.
    pub fn local_time(&self) -> String {
        local_time(self.hour)
    }
}

/// An hour as people read it: `09:00`.
pub fn local_time(hour: u8) -> String {
    format!("{hour:02}:00")
}

fn hour_of(date: Date, hour: u8) -> DateTime {
    let hour = i8::try_from(hour).expect("an hour is 0 to 23");
    date.at(hour, 0, 0, 0)
}
