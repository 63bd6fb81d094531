//! Hand-made histories, each with one thing wrong.

use uuid::Uuid;

use super::*;
use crate::history::{Deed, Made, Operation, Outcome, Slot};

const ANNA: Uuid = Uuid::from_u128(1);
const MONDAY_NINE: i64 = 1_795_424_400;
const HOUR: i64 = 3_600;
const WEEK: i32 = 0x00ff_ffff;

fn slot(hours: i64) -> Slot {
    Slot {
        practitioner: ANNA,
        start: MONDAY_NINE + hours * HOUR,
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(100 + number)
}

fn made(booking: Uuid, version: i32, status: &str) -> Outcome {
    Outcome::Done(Made {
        booking,
        version,
        status: status.to_owned(),
    })
}

fn operation(deed: Deed, key: Option<&str>, at_us: u64, outcome: Outcome) -> Operation {
    Operation {
        subject: "alice".to_owned(),
        deed,
        key: key.map(str::to_owned),
        invoked_us: at_us,
        completed_us: at_us + 1_000,
        tries: 1,
        outcome,
    }
}

fn row(booking: Uuid, slot: Slot, status: &str, version: i32) -> Booking {
    Booking {
        id: booking,
        subject: "alice".to_owned(),
        slot,
        status: status.to_owned(),
        version,
        rescheduled_from: None,
    }
}

fn event(version: u64, kind: &str, booking: Uuid, booking_version: i32, slot: Slot) -> Event {
    Event {
        id: Uuid::from_u128(1_000 + u128::from(version)),
        topic: "booking-events".to_owned(),
        key: ANNA,
        kind: kind.to_owned(),
        version,
        facts: Some(Facts {
            booking,
            booking_version,
            slot,
            weekday: 0,
            hour: u8::try_from(9 + (slot.start - MONDAY_NINE) / HOUR).unwrap(),
            previous: None,
        }),
    }
}

/// Alice books nine o'clock and cancels it, holds ten o'clock and confirms it, and moves that to
/// eleven: all is well.
fn all_is_well() -> Seen {
    let (nine, ten, eleven) = (slot(0), slot(1), slot(2));
    let operations = vec![
        operation(
            Deed::Book { slot: nine },
            Some("k1"),
            0,
            made(id(1), 1, "confirmed"),
        ),
        operation(
            Deed::Cancel {
                booking: id(1),
                version: 1,
            },
            None,
            10_000,
            made(id(1), 2, "cancelled"),
        ),
        operation(
            Deed::Hold { slot: ten },
            None,
            20_000,
            made(id(2), 1, "held"),
        ),
        operation(
            Deed::Confirm { hold: id(2) },
            Some("k2"),
            30_000,
            made(id(2), 2, "confirmed"),
        ),
        operation(
            Deed::Move {
                booking: id(2),
                version: 2,
                to: eleven,
            },
            Some("k3"),
            40_000,
            made(id(3), 1, "confirmed"),
        ),
    ];
    let mut moved = event(6, "BookingRescheduled", id(3), 1, eleven);
    moved.facts.as_mut().unwrap().previous = Some((id(2), ten));
    let saved = vec![
        Event {
            topic: "practitioner-events".to_owned(),
            kind: "PractitionerCreated".to_owned(),
            facts: None,
            ..event(1, "", id(0), 0, nine)
        },
        event(2, "BookingCreated", id(1), 1, nine),
        event(3, "BookingCancelled", id(1), 2, nine),
        event(4, "SlotHeld", id(2), 1, ten),
        event(5, "BookingCreated", id(2), 2, ten),
        moved,
        Event {
            id: Uuid::from_u128(2_000),
            topic: "availability-events".to_owned(),
            kind: "AvailabilityChanged".to_owned(),
            facts: None,
            ..event(1, "", id(0), 0, nine)
        },
    ];
    let mut deliveries = Vec::new();
    let mut mails = Vec::new();
    for event in [2, 3, 5, 6].map(|version| Uuid::from_u128(1_000 + version)) {
        for audience in ["patient", "practitioner"] {
            let message = format!("{event}-{audience}");
            deliveries.push(Delivery {
                event: event.to_string(),
                audience: audience.to_owned(),
                status: "sent".to_owned(),
                attempts: 1,
                message: Some(message.clone()),
            });
            mails.push(Mail {
                to: audience.to_owned(),
                message,
            });
        }
    }
    let receipt = |key: &str, booking| Receipt {
        subject: "alice".to_owned(),
        key: key.to_owned(),
        booking,
    };
    Seen {
        operations,
        bookings: vec![
            row(id(1), nine, "cancelled", 2),
            row(id(2), ten, "rescheduled", 3),
            Booking {
                rescheduled_from: Some(id(2)),
                ..row(id(3), eleven, "confirmed", 1)
            },
        ],
        receipts: vec![
            receipt("k1", id(1)),
            receipt("k2", id(2)),
            receipt("k3", id(3)),
        ],
        published: saved.clone(),
        saved,
        practitioners: vec![Standing {
            id: ANNA,
            version: 6,
            announced: 1,
        }],
        profiles: vec![Profile {
            practitioner: ANNA,
            version: 1,
            active: true,
            week: vec![WEEK; 7],
        }],
        offered: [(ANNA, [0, 1, 2].map(|hours| slot(hours).start).into())].into(),
        free: [(
            ANNA,
            (
                [0, 1].map(|hours| slot(hours).start).into(),
                "bitmap".to_owned(),
            ),
        )]
        .into(),
        found: [(ANNA, Some(nine.start))].into(),
        deliveries,
        mails,
        dead_letters: 0,
        overdue: Vec::new(),
    }
}

/// What is found once something is changed.
#[track_caller]
fn finds(change: impl FnOnce(&mut Seen), names: &[&str]) {
    let mut seen = all_is_well();
    change(&mut seen);
    let found = check(&seen).violations;
    for name in names {
        assert!(
            found.iter().any(|violation| violation.name() == *name),
            "no {name}: {found:#?}"
        );
    }
    if names.is_empty() {
        assert_eq!(found, []);
    }
}

#[test]
fn a_good_history_has_no_violation() {
    finds(|_| {}, &[]);
}

#[test]
fn two_bookings_of_a_slot_are_found_in_rows_events_and_histories() {
    let twice = |seen: &mut Seen| {
        let eleven = slot(2);
        seen.bookings.push(row(id(4), eleven, "confirmed", 1));
        seen.saved
            .push(event(7, "BookingCreated", id(4), 1, eleven));
        let deed = Deed::Book { slot: eleven };
        let booked = operation(deed, Some("k4"), 50_000, made(id(4), 1, "confirmed"));
        seen.operations.push(booked);
    };
    finds(twice, &["two live rows", "double booked", "two at once"]);
}

#[test]
fn a_slot_that_was_given_back_may_be_taken_again() {
    let again = |seen: &mut Seen| {
        let deed = Deed::Book { slot: slot(0) };
        // While the cancellation is on its way.
        let booked = operation(deed, Some("k4"), 10_500, Outcome::Unknown);
        seen.operations.push(booked);
    };
    finds(again, &[]);
}

#[test]
fn two_answers_at_one_instant_are_found_even_if_the_rows_are_well() {
    let early = |seen: &mut Seen| {
        let deed = Deed::Hold { slot: slot(0) };
        let held = operation(deed, None, 2_000, made(id(9), 1, "held"));
        seen.operations.push(held);
    };
    finds(early, &["two at once", "lost"]);
}

#[test]
fn a_hold_is_not_counted_on_beyond_its_time() {
    let late = |seen: &mut Seen| {
        let deed = Deed::Hold { slot: slot(0) };
        let held = operation(deed, None, 2_000_000, made(id(5), 1, "held"));
        seen.operations.push(held);
        let deed = Deed::Book { slot: slot(0) };
        let booked = operation(deed, Some("k6"), 303_000_000, made(id(6), 1, "confirmed"));
        seen.operations.push(booked);
    };
    let mut seen = all_is_well();
    late(&mut seen);
    let found = check(&seen).violations;
    assert!(
        !found.iter().any(|one| one.name() == "two at once"),
        "{found:#?}"
    );
}

#[test]
fn what_was_acknowledged_and_is_not_there_is_lost() {
    finds(|seen| drop(seen.bookings.remove(0)), &["lost"]);
    finds(
        |seen| seen.bookings[0].status = "confirmed".to_owned(),
        &["lost"],
    );
    finds(|seen| seen.bookings[0].version = 1, &["lost"]);
    finds(|seen| seen.bookings[0].slot = slot(1), &["lost"]);
    finds(|seen| seen.bookings[2].rescheduled_from = None, &["lost"]);
    finds(
        |seen| seen.bookings[2].subject = "bob".to_owned(),
        &["lost"],
    );
}

#[test]
fn what_was_refused_must_not_be_there() {
    let refused = |seen: &mut Seen| {
        seen.operations[0].outcome = Outcome::Refused {
            status: 409,
            problem: "/problems/slot-taken".to_owned(),
        };
    };
    finds(refused, &["refused but there", "unasked"]);
    // A cancellation that was refused and took effect.
    let cancelled = |seen: &mut Seen| {
        seen.operations[1].outcome = Outcome::Refused {
            status: 412,
            problem: "/problems/version-conflict".to_owned(),
        };
    };
    finds(cancelled, &["unexplained"]);
}

#[test]
fn what_is_unknown_may_be_there_or_not() {
    finds(|seen| seen.operations[0].outcome = Outcome::Unknown, &[]);
    finds(|seen| seen.operations[1].outcome = Outcome::Unknown, &[]);
    finds(|seen| seen.operations[2].outcome = Outcome::Unknown, &[]);
    let nothing = |seen: &mut Seen| {
        let deed = Deed::Book { slot: slot(0) };
        let lost = operation(deed, Some("k9"), 60_000, Outcome::Unknown);
        seen.operations.push(lost);
    };
    finds(nothing, &[]);
}

#[test]
fn what_nobody_asked_for_is_found() {
    let stranger = |seen: &mut Seen| seen.bookings.push(row(id(7), slot(1), "expired", 2));
    finds(stranger, &["unasked"]);
    // One unknown hold explains one booking, not two.
    let twice = |seen: &mut Seen| {
        let deed = Deed::Hold { slot: slot(1) };
        let unknown = operation(deed, None, 60_000, Outcome::Unknown);
        seen.operations.push(unknown);
        seen.bookings.push(row(id(7), slot(1), "expired", 2));
        seen.bookings.push(row(id(8), slot(1), "expired", 2));
    };
    finds(twice, &["unasked"]);
}

#[test]
fn one_key_has_one_answer_and_one_receipt() {
    let other = |seen: &mut Seen| {
        let deed = Deed::Book { slot: slot(0) };
        let again = operation(deed, Some("k1"), 5_000, made(id(3), 1, "confirmed"));
        seen.operations.push(again);
    };
    finds(other, &["answered twice"]);
    finds(|seen| drop(seen.receipts.remove(0)), &["no receipt"]);
    finds(|seen| seen.receipts[0].booking = id(2), &["no receipt"]);
}

#[test]
fn one_version_is_changed_once() {
    let twice = |seen: &mut Seen| {
        let again = Operation {
            invoked_us: 11_000,
            ..seen.operations[1].clone()
        };
        seen.operations.push(again);
    };
    finds(twice, &["changed twice"]);
}

#[test]
fn an_event_that_was_skipped_leaves_a_gap() {
    finds(
        |seen| drop(seen.saved.remove(2)),
        &[
            "gap",
            "events of one commit",
            "events say otherwise",
            "a stranger",
        ],
    );
    finds(|seen| drop(seen.saved.pop()), &["gap"]);
}

#[test]
fn an_event_that_is_there_twice_is_found() {
    let twice = |seen: &mut Seen| {
        let again = Event {
            id: id(50),
            ..seen.saved[2].clone()
        };
        seen.saved.push(again);
    };
    finds(
        twice,
        &["odd version", "events of one commit", "unpublished"],
    );
    finds(|seen| seen.practitioners[0].version = 5, &["odd version"]);
}

#[test]
fn what_was_published_is_what_was_saved_in_its_order() {
    finds(|seen| drop(seen.published.remove(3)), &["unpublished"]);
    finds(|seen| seen.published.swap(2, 3), &["out of order"]);
    finds(
        |seen| seen.published[2].kind = "SlotHeld".to_owned(),
        &["a stranger"],
    );
    // Again: allowed.
    let again = |seen: &mut Seen| {
        let again = seen.published[2].clone();
        seen.published.push(again);
    };
    finds(again, &[]);
}

#[test]
fn an_hour_that_was_taken_back_must_not_be_booked() {
    let fickle = |seen: &mut Seen| {
        let ten = 1 << 10;
        seen.profiles[0].version = 0;
        seen.profiles.push(Profile {
            practitioner: ANNA,
            version: 1,
            active: true,
            week: vec![WEEK & !ten; 7],
        });
    };
    finds(fickle, &["outside hours"]);
    finds(|seen| seen.profiles[0].active = false, &["outside hours"]);
}

#[test]
fn the_bitmap_is_the_schedule_minus_the_bookings() {
    let wrongly_free = |seen: &mut Seen| {
        seen.free.get_mut(&ANNA).unwrap().0.insert(slot(2).start);
    };
    finds(wrongly_free, &["bitmap"]);
    let wrongly_booked = |seen: &mut Seen| {
        seen.free.get_mut(&ANNA).unwrap().0.remove(&slot(1).start);
    };
    finds(wrongly_booked, &["bitmap"]);
    let elsewhere = |seen: &mut Seen| seen.free.get_mut(&ANNA).unwrap().1 = "database".to_owned();
    finds(elsewhere, &["bitmap"]);
    finds(|seen| seen.free.clear(), &["bitmap"]);
}

#[test]
fn the_search_document_has_the_next_slot() {
    finds(|seen| seen.found.clear(), &["search document"]);
    let later = |seen: &mut Seen| seen.found = [(ANNA, Some(slot(1).start))].into();
    finds(later, &["search document"]);
}

#[test]
fn everybody_is_told_once() {
    finds(
        |seen| drop(seen.deliveries.remove(0)),
        &["untold", "a strange mail"],
    );
    finds(
        |seen| seen.deliveries[0].status = "failed".to_owned(),
        &["untold"],
    );
    finds(|seen| drop(seen.mails.remove(0)), &["never sent"]);
    let twice = |seen: &mut Seen| {
        let copy = seen.mails[0].clone();
        seen.mails.push(copy);
    };
    finds(twice, &["told twice"]);
    // A host died between the mail and its entry, and the next one claimed it.
    let claimed = |seen: &mut Seen| {
        twice(seen);
        seen.deliveries[0].attempts = 2;
    };
    finds(claimed, &[]);
}

#[test]
fn what_is_left_to_do_is_found() {
    finds(|seen| seen.dead_letters = 1, &["given up"]);
    finds(|seen| seen.overdue.push("the end".to_owned()), &["overdue"]);
}
