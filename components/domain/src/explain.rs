//! Why a slot is offered, or is not: the same rules as `booking::offer` and `calendar`, told apart.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::booking::{self, NotOffered};
use crate::schedule::{Closure, Schedule};
use crate::slot::Slot;

/// Who has a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Booking(Uuid),
    Hold {
        id: Uuid,
        until: Timestamp,
    },
    /// The person is booked, or held until then, at another place of theirs.
    Elsewhere {
        id: Uuid,
        until: Option<Timestamp>,
    },
}

/// What became of a slot that somebody asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explanation {
    Free,
    NotOffered(NotOffered),
    /// The weekly hours have it; something takes it away.
    Closed(Closure),
    Booked(Uuid),
    Held {
        id: Uuid,
        until: Timestamp,
    },
    BookedElsewhere {
        id: Uuid,
        until: Option<Timestamp>,
    },
}

impl Explanation {
    /// The reason as the HTTP contract names it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::NotOffered(refusal) => refusal.reason(),
            Self::Closed(Closure::Leave) => "leave",
            Self::Closed(Closure::Exception) => "exception",
            Self::Closed(Closure::Holiday) => "holiday",
            Self::Booked(_) => "booked",
            Self::Held { .. } => "held",
            Self::BookedElsewhere { .. } => "booked-elsewhere",
        }
    }

    /// The reason for people.
    pub fn detail(self) -> String {
        match self {
            Self::Free => "the slot is free".to_owned(),
            Self::NotOffered(refusal) => refusal.to_string(),
            Self::Closed(Closure::Leave) => "the practitioner is on leave on this date".to_owned(),
            Self::Closed(Closure::Exception) => {
                "other hours than the weekly ones hold on this date".to_owned()
            }
            Self::Closed(Closure::Holiday) => "the date is a holiday".to_owned(),
            Self::Booked(_) => "the slot is booked".to_owned(),
            Self::Held { until, .. } => format!("the slot is held until {until}"),
            Self::BookedElsewhere { until: None, .. } => {
                "the practitioner is booked at another place then".to_owned()
            }
            Self::BookedElsewhere {
                until: Some(until), ..
            } => format!("the practitioner is held at another place then, until {until}"),
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
            Some(Holder::Elsewhere { id, until }) if until.is_none_or(|until| until > now) => {
                Explanation::BookedElsewhere { id, until }
            }
            Some(Holder::Hold { .. } | Holder::Elsewhere { .. }) | None => Explanation::Free,
        },
        Err(refusal) => told_apart(refusal, start, schedule),
    }
}

/// The slot of a booking, as it was when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub start: Timestamp,
    pub date: Date,
    pub hour: u8,
}

/// Why a booking has no place in its practitioner's time any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranding {
    /// The zone's rules have changed since: when it begins, the clock shows something else.
    ClockChanged,
    /// What takes its slot away.
    NotOffered(Explanation),
}

impl Stranding {
    /// The reason as the HTTP contract names it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ClockChanged => "clock-changed",
            Self::NotOffered(why) => why.reason(),
        }
    }
}

/// None where the booking has its place. How soon or how far away it is was asked when it was made.
pub fn stranded(taken: &Taken, schedule: &Schedule, active: bool) -> Option<Stranding> {
    match booking::stands(taken.start, schedule, active) {
        Ok(slot) if (slot.date(), slot.hour()) == (taken.date, taken.hour) => None,
        // A zone stays while slots are booked, and they were aligned.
        Ok(_) | Err(NotOffered::Misaligned) => Some(Stranding::ClockChanged),
        Err(refusal) => {
            let why = told_apart(refusal, taken.start, schedule);
            Some(Stranding::NotOffered(why))
        }
    }
}

fn told_apart(refusal: NotOffered, start: Timestamp, schedule: &Schedule) -> Explanation {
    match (refusal, closure(start, schedule)) {
        (NotOffered::OutsideHours, Some(closure)) => Explanation::Closed(closure),
        (refusal, _) => Explanation::NotOffered(refusal),
    }
}

fn closure(start: Timestamp, schedule: &Schedule) -> Option<Closure> {
    let slot = Slot::parse(start, &schedule.zone).ok()?;
    schedule.closure(slot.date(), slot.hour())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::civil::date;

    use super::*;
    use crate::mask::Mask;
    use crate::schedule::{DAYS_PER_WEEK, Span, Spans};
    use crate::terms::Terms;
    use crate::zone::Zone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Nine to five in Berlin, half a day ahead; on Christmas Eve at ten only, on Christmas Day never,
    /// and away at the end of the year.
    fn schedule() -> Schedule {
        let week = [(9..17).collect::<Mask>(); DAYS_PER_WEEK];
        let away = Span::new(date(2026, 12, 28), date(2026, 12, 31)).unwrap();
        Schedule {
            exceptions: BTreeMap::from([(date(2026, 12, 24), Mask::hour(10))]),
            holidays: BTreeSet::from([date(2026, 12, 25)]),
            leave: Spans::of([away]),
            terms: Terms::new(720, 62).unwrap(),
            ..Schedule::of_week(Zone::parse("Europe/Berlin").unwrap(), week)
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
            ("2026-11-22T13:00:00Z", "too-soon"),
            ("2027-01-23T09:00:00Z", "beyond-horizon"),
            ("2026-11-23T16:00:00Z", "outside-hours"),
            ("2026-12-24T08:00:00Z", "exception"),
            ("2026-12-24T09:00:00Z", "free"),
            // Not open in any week either.
            ("2026-12-24T20:00:00Z", "outside-hours"),
            ("2026-12-25T09:00:00Z", "holiday"),
            ("2026-12-25T20:00:00Z", "outside-hours"),
            ("2026-12-31T09:00:00Z", "leave"),
            ("2027-01-01T09:00:00Z", "free"),
        ] {
            assert_eq!(reason(start, None), expected, "{start}");
        }
        let start = at("2026-11-23T08:00:00Z");
        let of_who_left = explain(start, &schedule(), false, None, at("2026-11-22T12:00:00Z"));
        assert_eq!(of_who_left.reason(), "practitioner-inactive");
    }

    #[test]
    fn a_booking_is_stranded_by_what_closes_its_hour_and_by_no_terms() {
        let reason = |start, active| {
            let slot = Slot::parse(at(start), &schedule().zone).unwrap();
            let why = stranded(&taken(&slot), &schedule(), active);
            why.map(Stranding::reason)
        };
        for (start, expected) in [
            ("2026-11-23T08:00:00Z", None),
            ("2026-11-22T13:00:00Z", None),
            ("2027-11-23T09:00:00Z", None),
            ("2026-11-23T16:00:00Z", Some("outside-hours")),
            ("2026-12-24T08:00:00Z", Some("exception")),
            ("2026-12-25T09:00:00Z", Some("holiday")),
            ("2026-12-31T09:00:00Z", Some("leave")),
        ] {
            assert_eq!(reason(start, true), expected, "{start}");
            assert_eq!(reason(start, false), Some("practitioner-inactive"));
        }
    }

    fn taken(slot: &Slot) -> Taken {
        Taken {
            start: slot.start(),
            date: slot.date(),
            hour: slot.hour(),
        }
    }

    #[test]
    fn a_hold_takes_a_slot_until_it_runs_out() {
        let slot = "2026-11-23T08:00:00Z";
        let id = Uuid::nil();
        let hold = |until| Some(Holder::Hold { id, until });
        assert_eq!(reason(slot, Some(Holder::Booking(id))), "booked");
        assert_eq!(reason(slot, hold(at("2026-11-22T12:00:01Z"))), "held");
        assert_eq!(reason(slot, hold(at("2026-11-22T12:00:00Z"))), "free");
        let elsewhere = |until| Some(Holder::Elsewhere { id, until });
        let until = |end| elsewhere(Some(at(end)));
        assert_eq!(reason(slot, elsewhere(None)), "booked-elsewhere");
        assert_eq!(
            reason(slot, until("2026-11-22T12:00:01Z")),
            "booked-elsewhere"
        );
        assert_eq!(reason(slot, until("2026-11-22T12:00:00Z")), "free");
        // What is not offered anyway is told first.
        assert_eq!(
            reason("2026-11-23T16:00:00Z", elsewhere(None)),
            "outside-hours"
        );
    }
}
