//! Hand-made histories, each with one thing wrong.

mod bookings;
mod people;
mod waiting;

use uuid::Uuid;

use super::*;
use crate::history::{Deed, Made, Operation, Outcome, Slot, Told};
use crate::town::Area;

const ANNA: Uuid = Uuid::from_u128(1);
const MONDAY_NINE: i64 = 1_795_424_400;
const HOUR: i64 = 3_600;
const WEEK: i32 = 0x00ff_ffff;
const SECOND_US: i64 = 1_000_000;

fn slot(hours: i64) -> Slot {
    Slot {
        practitioner: ANNA,
        start: MONDAY_NINE + hours * HOUR,
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(100 + number)
}

fn made(booking: Uuid, version: i32, status: &str, slot: Slot) -> Outcome {
    Outcome::Done(Told::Booking(Made {
        booking,
        version,
        status: status.to_owned(),
        slot,
    }))
}

/// The changes of one booking, a second apart.
fn changes(booking: Uuid, at_s: i64, changes: &[&str]) -> Vec<Change> {
    let change = |(version, change): (i32, &&str)| Change {
        booking,
        version,
        change: (*change).to_owned(),
        at_us: (at_s + i64::from(version)) * SECOND_US,
    };
    (1..).zip(changes).map(change).collect()
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

/// So many degrees to the north: a tenth is eleven kilometres.
fn place(north: f64) -> Place {
    Place {
        lat: 52.0 + north,
        lon: 13.0,
        specialty: "cardiology".to_owned(),
    }
}

fn area(radius_km: f64) -> Area {
    Area {
        lat: 52.0,
        lon: 13.0,
        radius_km,
        specialty: "cardiology".to_owned(),
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
            made(id(1), 1, "confirmed", nine),
        ),
        operation(
            Deed::Cancel {
                booking: id(1),
                version: 1,
            },
            None,
            10_000,
            made(id(1), 2, "cancelled", nine),
        ),
        operation(
            Deed::Hold { slot: ten },
            None,
            20_000,
            made(id(2), 1, "held", ten),
        ),
        operation(
            Deed::Confirm { hold: id(2) },
            Some("k2"),
            30_000,
            made(id(2), 2, "confirmed", ten),
        ),
        operation(
            Deed::Move {
                booking: id(2),
                version: 2,
                to: eleven,
            },
            Some("k3"),
            40_000,
            made(id(3), 1, "confirmed", eleven),
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
        history: [
            changes(id(1), 0, &["booked", "cancelled"]),
            changes(id(2), 20, &["held", "confirmed", "moved-away"]),
            changes(id(3), 40, &["moved-here"]),
        ]
        .concat(),
        waits: Vec::new(),
        places: [(ANNA, place(0.0))].into(),
        areas: vec![area(1.0)],
        traces: Default::default(),
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
