//! A slot that is held for somebody who has not confirmed yet.

use jiff::{SignedDuration, Timestamp};

use crate::booking::{HOLD_SECONDS, Refused, Standing, Status, not_begun, unchanged};

/// How long a slot is held at most, however often its holder says that they are still there.
pub const HOLD_SECONDS_MAX: i32 = 1_800;

/// What a heartbeat must add to be written down: so one hold has 60 of them at most.
pub const HEARTBEAT_SECONDS_MIN: i64 = 30;

/// Until when a hold lasts whose holder is still there; none: about as long as it does anyway.
pub fn heartbeat(
    hold: &Standing,
    held_since: Timestamp,
    now: Timestamp,
) -> Result<Option<Timestamp>, Refused> {
    held(hold)?;
    let Some(expiry) = hold.hold_expires_at.filter(|expiry| *expiry > now) else {
        return Err(Refused::HoldExpired);
    };
    not_begun(hold, now)?;
    let wanted = after(now, HOLD_SECONDS).min(after(held_since, HOLD_SECONDS_MAX));
    let added = wanted.as_second() - expiry.as_second();
    Ok((added >= HEARTBEAT_SECONDS_MIN).then_some(wanted))
}

/// Whether a hold can be given back, by somebody who has seen `version`, if they say which. One that
/// has run out and is not marked yet can, too: its slot is free the same.
pub fn release(hold: &Standing, version: Option<i32>, now: Timestamp) -> Result<(), Refused> {
    held(hold)?;
    if let Some(version) = version {
        unchanged(hold, version)?;
    }
    not_begun(hold, now)
}

fn held(hold: &Standing) -> Result<(), Refused> {
    match hold.status {
        Status::Held => Ok(()),
        Status::Expired => Err(Refused::HoldExpired),
        Status::Confirmed | Status::Cancelled | Status::Rescheduled => {
            Err(Refused::NotHeld(hold.status))
        }
    }
}

fn after(instant: Timestamp, seconds: i32) -> Timestamp {
    instant
        .saturating_add(SignedDuration::from_secs(seconds.into()))
        .expect("seconds are no calendar units")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hold(expiry: &str) -> Standing {
        Standing {
            status: Status::Held,
            version: 1,
            slot_start: at("2026-11-23T08:00:00Z"),
            hold_expires_at: Some(at(expiry)),
        }
    }

    const NOON: &str = "2026-11-22T12:00:00Z";

    fn beat(expiry: &str, now: &str) -> Result<Option<Timestamp>, Refused> {
        heartbeat(&hold(expiry), at(NOON), at(now))
    }

    #[test]
    fn a_heartbeat_holds_the_slot_for_as_long_again() {
        let extended = beat("2026-11-22T12:05:00Z", "2026-11-22T12:04:00Z");
        assert_eq!(extended, Ok(Some(at("2026-11-22T12:09:00Z"))));
    }

    #[test]
    fn no_slot_is_held_for_longer_than_the_limit() {
        let extended = beat("2026-11-22T12:28:00Z", "2026-11-22T12:27:00Z");
        assert_eq!(extended, Ok(Some(at("2026-11-22T12:30:00Z"))));
        assert_eq!(
            beat("2026-11-22T12:30:00Z", "2026-11-22T12:29:00Z"),
            Ok(None)
        );
    }

    #[test]
    fn a_heartbeat_that_adds_next_to_nothing_changes_nothing() {
        assert_eq!(
            beat("2026-11-22T12:05:00Z", "2026-11-22T12:00:29Z"),
            Ok(None)
        );
        // Nor does one take anything away from a hold that was given for longer.
        assert_eq!(
            beat("2026-11-22T12:15:00Z", "2026-11-22T12:01:00Z"),
            Ok(None)
        );
    }

    #[test]
    fn what_has_run_out_is_not_extended() {
        let refused = beat("2026-11-22T12:05:00Z", "2026-11-22T12:05:00Z");
        assert_eq!(refused, Err(Refused::HoldExpired));
    }

    #[test]
    fn what_is_no_hold_any_more_is_neither_extended_nor_given_back() {
        let now = at("2026-11-22T12:01:00Z");
        for status in [Status::Confirmed, Status::Cancelled, Status::Rescheduled] {
            let booking = Standing {
                status,
                ..hold("2026-11-22T12:05:00Z")
            };
            let refused = Refused::NotHeld(status);
            assert_eq!(heartbeat(&booking, at(NOON), now), Err(refused));
            assert_eq!(release(&booking, None, now), Err(refused));
        }
    }

    #[test]
    fn a_hold_is_given_back_at_any_version_unless_one_is_named() {
        let now = at("2026-11-22T12:01:00Z");
        let hold = hold("2026-11-22T12:05:00Z");
        assert_eq!(release(&hold, None, now), Ok(()));
        assert_eq!(release(&hold, Some(1), now), Ok(()));
        assert_eq!(
            release(&hold, Some(2), now),
            Err(Refused::VersionConflict(1))
        );
    }
}
