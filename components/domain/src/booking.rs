//! Whether a slot can be booked, and what can be done with a booking.

use jiff::Timestamp;

use crate::schedule::Schedule;
use crate::slot::Slot;

/// How long a slot is held for somebody who has not confirmed yet.
pub const HOLD_SECONDS: i32 = 300;

/// How many slots may be held for one patient at a time.
pub const HOLDS_PER_PATIENT_MAX: i32 = 3;

/// Why a slot is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOffered {
    #[error("the practitioner is not active")]
    PractitionerInactive,
    #[error(
        "a booking starts on a full local hour, the first one where daylight saving repeats it"
    )]
    Misaligned,
    #[error("the slot has begun or is over")]
    InThePast,
    #[error("the slot begins in less than the {lead_minutes} minutes that the practitioner needs")]
    TooSoon { lead_minutes: i32 },
    #[error("the slot is further away than the {horizon_days} days that can be booked")]
    BeyondHorizon { horizon_days: i32 },
    #[error("the practitioner does not work then")]
    OutsideHours,
}

impl NotOffered {
    /// The reason as the HTTP contract names it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::PractitionerInactive => "practitioner-inactive",
            Self::Misaligned => "misaligned",
            Self::InThePast => "in-the-past",
            Self::TooSoon { .. } => "too-soon",
            Self::BeyondHorizon { .. } => "beyond-horizon",
            Self::OutsideHours => "outside-hours",
        }
    }
}

/// The slot that a practitioner offers at an instant. Whether somebody has it already is not asked:
/// that, only the database can say.
pub fn offer(
    start: Timestamp,
    schedule: &Schedule,
    active: bool,
    now: Timestamp,
) -> Result<Slot, NotOffered> {
    if !active {
        return Err(NotOffered::PractitionerInactive);
    }
    let slot = Slot::parse(start, &schedule.zone).map_err(|_| NotOffered::Misaligned)?;
    if slot.start() <= now {
        return Err(NotOffered::InThePast);
    }
    let terms = schedule.terms;
    if terms.is_too_soon(slot.start(), now) {
        let lead_minutes = terms.lead_minutes();
        return Err(NotOffered::TooSoon { lead_minutes });
    }
    let (_, last) = terms.dates(&schedule.zone, now);
    if slot.date() > last {
        let horizon_days = terms.horizon_days();
        return Err(NotOffered::BeyondHorizon { horizon_days });
    }
    stands(start, schedule, active)
}

/// The slot of a booking or a hold, if the practitioner still works then. How soon or how far away it is
/// was asked when it was taken.
pub fn stands(start: Timestamp, schedule: &Schedule, active: bool) -> Result<Slot, NotOffered> {
    if !active {
        return Err(NotOffered::PractitionerInactive);
    }
    let slot = Slot::parse(start, &schedule.zone).map_err(|_| NotOffered::Misaligned)?;
    if !schedule.open(slot.date()).contains(slot.hour()) {
        return Err(NotOffered::OutsideHours);
    }
    Ok(slot)
}

/// Where a booking stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Held,
    Confirmed,
    Cancelled,
    Rescheduled,
    Expired,
}

impl Status {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "held" => Some(Self::Held),
            "confirmed" => Some(Self::Confirmed),
            "cancelled" => Some(Self::Cancelled),
            "rescheduled" => Some(Self::Rescheduled),
            "expired" => Some(Self::Expired),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Rescheduled => "rescheduled",
            Self::Expired => "expired",
        }
    }
}

/// What a decision about a booking rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    pub version: i32,
    pub slot_start: Timestamp,
    /// Only of a held booking.
    pub hold_expires_at: Option<Timestamp>,
}

/// Why a booking can't be changed as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the booking is {} already", .0.name())]
    NotActive(Status),
    #[error("the slot has begun or is over")]
    Begun,
    #[error("the booking is not confirmed yet")]
    NotConfirmed,
    #[error("the hold has run out")]
    HoldExpired,
    #[error("it is no hold any more: it is {}", .0.name())]
    NotHeld(Status),
    #[error("the booking has changed: its version is {0} now")]
    VersionConflict(i32),
    #[error("the booking has this slot already")]
    SameSlot,
}

/// Whether a booking, or a hold, can be cancelled by somebody who has seen `version`.
pub fn cancel(booking: &Standing, version: i32, now: Timestamp) -> Result<(), Refused> {
    match booking.status {
        Status::Held | Status::Confirmed => {}
        Status::Cancelled | Status::Rescheduled | Status::Expired => {
            return Err(Refused::NotActive(booking.status));
        }
    }
    unchanged(booking, version)?;
    not_begun(booking, now)
}

/// Whether a booking can be moved to the slot that starts at `to`, by somebody who has seen
/// `version`.
pub fn reschedule(
    booking: &Standing,
    version: i32,
    to: Timestamp,
    now: Timestamp,
) -> Result<(), Refused> {
    match booking.status {
        Status::Confirmed => {}
        Status::Held => return Err(Refused::NotConfirmed),
        Status::Cancelled | Status::Rescheduled | Status::Expired => {
            return Err(Refused::NotActive(booking.status));
        }
    }
    unchanged(booking, version)?;
    not_begun(booking, now)?;
    if booking.slot_start == to {
        Err(Refused::SameSlot)
    } else {
        Ok(())
    }
}

/// Whether a hold can be made a booking.
pub fn confirm(booking: &Standing, now: Timestamp) -> Result<(), Refused> {
    match booking.status {
        Status::Held => {}
        Status::Expired => return Err(Refused::HoldExpired),
        Status::Confirmed | Status::Cancelled | Status::Rescheduled => {
            return Err(Refused::NotActive(booking.status));
        }
    }
    if booking.hold_expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(Refused::HoldExpired);
    }
    not_begun(booking, now)
}

pub(crate) fn unchanged(booking: &Standing, version: i32) -> Result<(), Refused> {
    if booking.version == version {
        Ok(())
    } else {
        Err(Refused::VersionConflict(booking.version))
    }
}

pub(crate) fn not_begun(booking: &Standing, now: Timestamp) -> Result<(), Refused> {
    if booking.slot_start > now {
        Ok(())
    } else {
        Err(Refused::Begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Mask;
    use crate::schedule::DAYS_PER_WEEK;
    use crate::terms::Terms;
    use crate::zone::Zone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Nine to five in Berlin, every day.
    fn schedule() -> Schedule {
        let week = [(9..17).collect::<Mask>(); DAYS_PER_WEEK];
        Schedule::of_week(Zone::parse("Europe/Berlin").unwrap(), week)
    }

    fn refusal(start: &str) -> NotOffered {
        offer(at(start), &schedule(), true, at("2026-11-22T12:00:00Z")).unwrap_err()
    }

    #[test]
    fn a_slot_in_the_hours_is_offered() {
        let now = at("2026-11-22T12:00:00Z");
        let slot = offer(at("2026-11-23T08:00:00Z"), &schedule(), true, now).unwrap();
        assert_eq!(
            (slot.hour(), slot.date().to_string()),
            (9, "2026-11-23".into())
        );
    }

    #[test]
    fn a_refusal_says_why() {
        assert_eq!(refusal("2026-11-23T08:30:00Z"), NotOffered::Misaligned);
        assert_eq!(refusal("2026-11-22T12:00:00Z"), NotOffered::InThePast);
        assert_eq!(refusal("2026-11-23T16:00:00Z"), NotOffered::OutsideHours);
        let horizon_days = 62;
        assert_eq!(
            refusal("2027-01-23T09:00:00Z"),
            NotOffered::BeyondHorizon { horizon_days }
        );
    }

    #[test]
    fn a_slot_is_offered_on_the_practitioners_terms_and_stands_on_none() {
        let mut schedule = schedule();
        schedule.terms = Terms::new(60, 10).unwrap();
        let (soon, far) = (at("2026-11-23T08:00:00Z"), at("2026-12-07T08:00:00Z"));
        let offered = |start, now| offer(start, &schedule, true, at(now)).err();
        let lead_minutes = 60;
        let too_soon = Some(NotOffered::TooSoon { lead_minutes });
        assert_eq!(offered(soon, "2026-11-23T06:59:59Z"), None);
        assert_eq!(offered(soon, "2026-11-23T07:00:00Z"), too_soon);
        assert_eq!(
            offered(soon, "2026-11-23T08:00:00Z"),
            Some(NotOffered::InThePast)
        );
        let horizon_days = 10;
        let too_far = Some(NotOffered::BeyondHorizon { horizon_days });
        assert_eq!(offered(far, "2026-11-27T22:59:59Z"), too_far);
        assert_eq!(offered(far, "2026-11-27T23:00:00Z"), None);
        assert!(stands(far, &schedule, true).is_ok());
        let left = Err(NotOffered::PractitionerInactive);
        assert_eq!(stands(far, &schedule, false), left);
        let evening = at("2026-12-07T20:00:00Z");
        let closed = Err(NotOffered::OutsideHours);
        assert_eq!(stands(evening, &schedule, true), closed);
    }

    #[test]
    fn nobody_books_with_an_inactive_practitioner() {
        let now = at("2026-11-22T12:00:00Z");
        let refusal = offer(at("2026-11-23T08:00:00Z"), &schedule(), false, now);
        assert_eq!(refusal, Err(NotOffered::PractitionerInactive));
    }

    fn confirmed() -> Standing {
        Standing {
            status: Status::Confirmed,
            version: 2,
            slot_start: at("2026-11-23T08:00:00Z"),
            hold_expires_at: None,
        }
    }

    #[test]
    fn a_stale_version_changes_nothing() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(
            cancel(&confirmed(), 1, now),
            Err(Refused::VersionConflict(2))
        );
        assert_eq!(
            reschedule(&confirmed(), 1, at("2026-11-24T08:00:00Z"), now),
            Err(Refused::VersionConflict(2))
        );
        assert_eq!(cancel(&confirmed(), 2, now), Ok(()));
    }

    #[test]
    fn what_is_cancelled_stays_cancelled() {
        let booking = Standing {
            status: Status::Cancelled,
            ..confirmed()
        };
        // Said before the version: whoever repeats a cancellation learns that it worked.
        let refused = Err(Refused::NotActive(Status::Cancelled));
        assert_eq!(cancel(&booking, 1, at("2026-11-22T12:00:00Z")), refused);
    }

    #[test]
    fn an_appointment_that_has_begun_stands() {
        assert_eq!(
            cancel(&confirmed(), 2, at("2026-11-23T08:00:00Z")),
            Err(Refused::Begun)
        );
    }

    #[test]
    fn a_hold_can_be_confirmed_until_it_runs_out() {
        let hold = Standing {
            status: Status::Held,
            hold_expires_at: Some(at("2026-11-22T12:05:00Z")),
            ..confirmed()
        };
        assert_eq!(confirm(&hold, at("2026-11-22T12:04:59Z")), Ok(()));
        assert_eq!(
            confirm(&hold, at("2026-11-22T12:05:00Z")),
            Err(Refused::HoldExpired)
        );
        assert_eq!(
            reschedule(
                &hold,
                2,
                at("2026-11-24T08:00:00Z"),
                at("2026-11-22T12:00:00Z")
            ),
            Err(Refused::NotConfirmed)
        );
    }

    #[test]
    fn a_booking_is_not_moved_to_where_it_is() {
        let now = at("2026-11-22T12:00:00Z");
        let booking = confirmed();
        assert_eq!(
            reschedule(&booking, 2, booking.slot_start, now),
            Err(Refused::SameSlot)
        );
        assert_eq!(
            reschedule(&booking, 2, at("2026-11-23T09:00:00Z"), now),
            Ok(())
        );
    }
}
