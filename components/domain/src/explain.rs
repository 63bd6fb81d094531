//! Why a slot is offered, or is not: the same rules as `booking::offer` and `calendar`, told apart.

use jiff::Timestamp;
use uuid::Uuid;

use crate::booking::{self, NotOffered};
use crate::schedule::Schedule;
use crate::slot::Slot;

/// Who has a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Booking(Uuid),
    Hold { id: Uuid, until: Timestamp },
}

/// What became of a slot that somebody asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    Free,
    NotOffered(NotOffered),
    /// The weekly hours have it; the exception of its date takes it away.
    Exception,
    Booked(Uuid),
    Held {
        id: Uuid,
        until: Timestamp,
    },
}

impl Explanation {
    /// The reason as the HTTP contract names it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::NotOffered(refusal) => refusal.reason(),
            Self::Exception => "exception",
            Self::Booked(_) => "booked",
            Self::Held { .. } => "held",
        }
    }

    /// The reason for people.
    pub fn detail(self) -> String {
        match self {
            Self::Free => "the slot is free".to_owned(),
            Self::NotOffered(refusal) => refusal.to_string(),
            Self::Exception => "other hours than the weekly ones hold on this date".to_owned(),
            Self::Booked(_) => "the slot is booked".to_owned(),
            Self::Held { until, .. } => format!("the slot is held until {until}"),
        }
    }
}

/// Which rule took the slot at `start` away, the first that does: `holder` is who has it by the
/// database.
pub fn explain(
    start: Timestamp,
    schedule: &Schedule,
    active: bool,
    holder: Option<Holder>,
    now: Timestamp,
) -> Explanation {
    match booking::offer(start, schedule, active, now) {
        Ok(_) => match holder {
            Some(Holder::Booking(id)) => Explanation::Booked(id),
            // A hold that has run out takes no slot, whether it is marked yet or not.
            Some(Holder::Hold { id, until }) if until > now => Explanation::Held { id, until },
            Some(Holder::Hold { .. }) | None => Explanation::Free,
        },
        Err(NotOffered::OutsideHours) if excepted(start, schedule) => Explanation::Exception,
        Err(refusal) => Explanation::NotOffered(refusal),
    }
}

/// Whether the weekly hours have what is not open.
fn excepted(start: Timestamp, schedule: &Schedule) -> bool {
    Slot::parse(start, &schedule.zone)
        .is_ok_and(|slot| schedule.weekly(slot.date()).contains(slot.hour()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;

    use super::*;
    use crate::mask::Mask;
    use crate::schedule::DAYS_PER_WEEK;
    use crate::zone::Zone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Nine to five in Berlin; on Christmas Eve at ten only.
    fn schedule() -> Schedule {
        Schedule {
            zone: Zone::parse("Europe/Berlin").unwrap(),
            week: [(9..17).collect::<Mask>(); DAYS_PER_WEEK],
            exceptions: BTreeMap::from([(date(2026, 12, 24), Mask::hour(10))]),
        }
    }

    fn reason(start: &str, holder: Option<Holder>) -> &'static str {
        let now = at("2026-11-22T12:00:00Z");
        explain(at(start), &schedule(), true, holder, now).reason()
    }

    #[test]
    fn each_rule_has_a_name() {
        for (start, expected) in [
            ("2026-11-23T08:00:00Z", "free"),
            ("2026-11-23T08:30:00Z", "misaligned"),
            ("2026-11-22T12:00:00Z", "in-the-past"),
            ("2027-01-23T09:00:00Z", "beyond-horizon"),
            ("2026-11-23T16:00:00Z", "outside-hours"),
            ("2026-12-24T08:00:00Z", "exception"),
            ("2026-12-24T09:00:00Z", "free"),
            // Not open in any week either.
            ("2026-12-24T20:00:00Z", "outside-hours"),
        ] {
            assert_eq!(reason(start, None), expected, "{start}");
        }
        let start = at("2026-11-23T08:00:00Z");
        let of_who_left = explain(start, &schedule(), false, None, at("2026-11-22T12:00:00Z"));
        assert_eq!(of_who_left.reason(), "practitioner-inactive");
    }

    #[test]
    fn a_hold_takes_a_slot_until_it_runs_out() {
        let slot = "2026-11-23T08:00:00Z";
        let id = Uuid::nil();
        let hold = |until| Some(Holder::Hold { id, until });
        assert_eq!(reason(slot, Some(Holder::Booking(id))), "booked");
        assert_eq!(reason(slot, hold(at("2026-11-22T12:00:01Z"))), "held");
        assert_eq!(reason(slot, hold(at("2026-11-22T12:00:00Z"))), "free");
    }
}
