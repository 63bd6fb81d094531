//! Waiting for a slot that somebody gives back.
//!
//! A slot that comes free is held for the first who waits for one like it, and offered to them. If
//! they do not take it, it goes to the next; nobody is offered a slot that they let go since they
//! began to wait.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::booking::{self, Standing};
use crate::event::{self, BookingKind};
use crate::slot::Slot;

/// How long a slot is held for somebody to whom it is offered: they have to read their mail first.
pub const OFFER_SECONDS: i32 = 900;

/// What begins sooner is not offered any more: it is free for everybody.
pub const OFFER_LEAD_MIN: SignedDuration = SignedDuration::from_hours(1);

/// How many entries of one patient may wait at a time.
pub const ENTRIES_PER_PATIENT_MAX: i32 = 5;

/// What an event about a booking means for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The booking was confirmed: if it was offered, its entry has what it waited for.
    Taken { booking: Uuid },
    /// The slot came free. If it was offered with this booking, its entry waits on.
    Freed {
        booking: Uuid,
        slot_start: Timestamp,
    },
    /// Nobody who waits is concerned.
    Nothing,
}

impl News {
    pub fn of(kind: BookingKind, booking: &event::Booking) -> Self {
        match kind {
            // Made in one step, and never a hold.
            BookingKind::BookingCreated if booking.booking_version == 1 => Self::Nothing,
            BookingKind::BookingCreated => Self::Taken {
                booking: booking.booking_id,
            },
            BookingKind::BookingCancelled | BookingKind::HoldExpired => Self::Freed {
                booking: booking.booking_id,
                slot_start: booking.slot_start,
            },
            BookingKind::BookingRescheduled => match &booking.previous {
                Some(previous) => Self::Freed {
                    booking: previous.rescheduled_from,
                    slot_start: previous.previous_slot_start,
                },
                None => Self::Nothing,
            },
            BookingKind::SlotHeld | BookingKind::HoldOffered => Self::Nothing,
        }
    }
}

/// Whether there is time enough to offer a slot.
pub fn is_offered(slot: &Slot, now: Timestamp) -> bool {
    slot.start().duration_since(now) >= OFFER_LEAD_MIN
}

/// Where an entry stands. It follows from the events about bookings, a moment after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Waiting,
    /// A slot is held for the patient.
    Offered,
    /// The patient has booked what was offered.
    Fulfilled,
}

impl Status {
    /// What it is at this moment, where the events that say so may still be on their way: `offer` is
    /// the booking that the entry names.
    pub fn settled(self, offer: Option<&Standing>, now: Timestamp) -> Self {
        let Some(offer) = offer else {
            return self;
        };
        match (self, offer.status) {
            (Self::Waiting | Self::Fulfilled, _) => self,
            (Self::Offered, booking::Status::Confirmed | booking::Status::Rescheduled) => {
                Self::Fulfilled
            }
            (Self::Offered, booking::Status::Cancelled | booking::Status::Expired) => Self::Waiting,
            (Self::Offered, booking::Status::Held) => {
                let is_over = offer.hold_expires_at.is_some_and(|end| end <= now);
                if is_over {
                    Self::Waiting
                } else {
                    Self::Offered
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn booking(booking_version: i32) -> event::Booking {
        event::Booking {
            schema: event::SCHEMA,
            booking_id: Uuid::from_u128(3),
            practitioner_id: Uuid::from_u128(2),
            tenant_id: "north".to_owned(),
            patient_id: Uuid::from_u128(1),
            slot_start: "2026-11-23T08:00:00Z".parse().unwrap(),
            local_date: "2026-11-23".parse().unwrap(),
            local_hour: 9,
            time_zone: "Europe/Berlin".to_owned(),
            booking_version,
            calendar_uid: Uuid::from_u128(4),
            calendar_sequence: 0,
            hold_expires_at: None,
            previous: None,
        }
    }

    #[test]
    fn what_is_given_back_came_free() {
        let booking = booking(2);
        let freed = News::Freed {
            booking: booking.booking_id,
            slot_start: booking.slot_start,
        };
        for kind in [BookingKind::BookingCancelled, BookingKind::HoldExpired] {
            assert_eq!(News::of(kind, &booking), freed);
        }
    }

    #[test]
    fn a_reschedule_frees_the_old_slot_and_not_the_new_one() {
        let mut booking = booking(1);
        booking.previous = Some(event::Previous {
            rescheduled_from: Uuid::from_u128(9),
            previous_slot_start: "2026-11-20T08:00:00Z".parse().unwrap(),
            previous_local_date: "2026-11-20".parse().unwrap(),
            previous_local_hour: 9,
        });
        assert_eq!(
            News::of(BookingKind::BookingRescheduled, &booking),
            News::Freed {
                booking: Uuid::from_u128(9),
                slot_start: "2026-11-20T08:00:00Z".parse().unwrap(),
            }
        );
    }

    #[test]
    fn only_a_confirmed_hold_may_be_what_somebody_waited_for() {
        let taken = News::Taken {
            booking: Uuid::from_u128(3),
        };
        assert_eq!(News::of(BookingKind::BookingCreated, &booking(2)), taken);
        for kind in [
            BookingKind::BookingCreated,
            BookingKind::SlotHeld,
            BookingKind::HoldOffered,
        ] {
            assert_eq!(News::of(kind, &booking(1)), News::Nothing);
        }
    }

    #[test]
    fn an_entry_is_what_its_offer_is_before_the_event_arrives() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let offer = |status, until: Option<&str>| Standing {
            status,
            version: 1,
            slot_start: "2026-11-23T08:00:00Z".parse().unwrap(),
            hold_expires_at: until.map(|until| until.parse().unwrap()),
        };
        let settled = |offer: Standing| Status::Offered.settled(Some(&offer), now);
        let held = |until| settled(offer(booking::Status::Held, Some(until)));
        assert_eq!(held("2026-11-22T12:00:01Z"), Status::Offered);
        assert_eq!(held("2026-11-22T12:00:00Z"), Status::Waiting);
        let over = |status| settled(offer(status, None));
        assert_eq!(over(booking::Status::Confirmed), Status::Fulfilled);
        assert_eq!(over(booking::Status::Cancelled), Status::Waiting);
        assert_eq!(over(booking::Status::Expired), Status::Waiting);
        let cancelled = offer(booking::Status::Cancelled, None);
        let fulfilled = Status::Fulfilled.settled(Some(&cancelled), now);
        assert_eq!(fulfilled, Status::Fulfilled);
    }

    #[test]
    fn a_slot_that_begins_soon_is_not_offered() {
        let date = "2026-11-23".parse().unwrap();
        let slot = Slot::at(date, 9, &Zone::utc()).unwrap();
        assert!(is_offered(&slot, "2026-11-23T08:00:00Z".parse().unwrap()));
        assert!(!is_offered(&slot, "2026-11-23T08:00:01Z".parse().unwrap()));
    }
}
