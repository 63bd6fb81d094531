//! The waitlist.

use super::*;
use crate::history::{Whom, Wish};

fn wait(entry: Uuid, subject: &str, at_s: i64, status: &str, booking: Option<Uuid>) -> Wait {
    Wait {
        entry,
        subject: subject.to_owned(),
        practitioner: Some(ANNA),
        area: None,
        from: None,
        to: slot(9).start,
        status: status.to_owned(),
        booking,
        began_us: at_s * SECOND_US,
        at_us: at_s * SECOND_US + 1_000,
    }
}

fn joining(subject: &str, entry: Uuid, at_us: u64) -> Operation {
    let wish = Wish {
        whom: Whom::Practitioner(ANNA),
        from: None,
        to: slot(9).start,
    };
    let told = Outcome::Done(Told::Entry(entry));
    Operation {
        subject: subject.to_owned(),
        ..operation(Deed::Join { wish }, None, at_us, told)
    }
}

const BOBS: Uuid = Uuid::from_u128(51);
const CAROLS: Uuid = Uuid::from_u128(52);

/// Bob waits since second -50 and Carol since -40; Alice gives nine o'clock back in second 2, and Bob
/// is offered it in second 10.
fn bob_is_offered_nine(seen: &mut Seen) {
    let nine = slot(0);
    seen.operations.push(joining("bob", BOBS, 0));
    seen.operations.push(joining("carol", CAROLS, 10));
    let offer = id(7);
    seen.waits = vec![
        wait(BOBS, "bob", -50, "waiting", None),
        wait(CAROLS, "carol", -40, "waiting", None),
        wait(BOBS, "bob", 10, "offered", Some(offer)),
    ];
    seen.bookings.push(Booking {
        subject: "bob".to_owned(),
        ..row(offer, nine, "held", 1)
    });
    seen.history.extend(changes(offer, 9, &["held"]));
    let offered = event(7, "HoldOffered", offer, 1, nine);
    let message = format!("{}-patient", offered.id);
    seen.deliveries.push(Delivery {
        event: offered.id.to_string(),
        audience: "patient".to_owned(),
        status: "sent".to_owned(),
        attempts: 1,
        message: Some(message.clone()),
    });
    seen.mails.push(Mail {
        to: "bob".to_owned(),
        message,
    });
    seen.saved.push(offered.clone());
    seen.published.push(offered);
    seen.practitioners[0].version = 7;
    seen.free.get_mut(&ANNA).unwrap().0.remove(&nine.start);
    seen.found = [(ANNA, Some(slot(1).start))].into();
    // Ten o'clock came free as well when Alice moved it, before anybody waited.
    for change in &mut seen.history[2..5] {
        change.at_us -= 200 * SECOND_US;
    }
}

#[track_caller]
fn finds_with_bob(change: impl FnOnce(&mut Seen), names: &[&str]) {
    let offered = |seen: &mut Seen| {
        bob_is_offered_nine(seen);
        change(seen);
    };
    finds(offered, names);
}

#[test]
fn an_offer_to_the_first_who_waits_is_well() {
    finds_with_bob(|_| {}, &[]);
    let mut seen = all_is_well();
    bob_is_offered_nine(&mut seen);
    let found = check(&seen);
    assert_eq!((found.entries, found.offers), (2, 1));
}

#[test]
fn an_offer_that_no_entry_asks_for_is_found() {
    finds_with_bob(|seen| drop(seen.waits.pop()), &["unasked"]);
    let of_another = |seen: &mut Seen| seen.bookings[3].subject = "carol".to_owned();
    finds_with_bob(of_another, &["unasked", "an odd offer"]);
    let too_late = |seen: &mut Seen| {
        for wait in &mut seen.waits {
            wait.from = Some(slot(1).start);
        }
    };
    finds_with_bob(too_late, &["an odd offer"]);
    let silently = |seen: &mut Seen| seen.saved[7].kind = "SlotHeld".to_owned();
    finds_with_bob(silently, &["an odd offer"]);
}

#[test]
fn an_entry_that_nobody_asked_for_is_found() {
    let by_nobody = |seen: &mut Seen| {
        let at = seen.operations.len() - 2;
        seen.operations.remove(at);
    };
    finds_with_bob(by_nobody, &["an unasked entry"]);
    let unknown = |seen: &mut Seen| {
        let at = seen.operations.len() - 2;
        seen.operations[at].outcome = Outcome::Unknown;
    };
    finds_with_bob(unknown, &[]);
}

#[test]
fn an_entry_is_what_its_patient_was_told() {
    let gone = |seen: &mut Seen| {
        seen.waits.push(wait(CAROLS, "carol", 20, "gone", None));
    };
    finds_with_bob(gone, &["a lost entry"]);
    let leave = |subject: &str| {
        let done = Outcome::Done(Told::Nothing);
        let deed = Deed::Leave { entry: CAROLS };
        Operation {
            subject: subject.to_owned(),
            ..operation(deed, None, 60_000, done)
        }
    };
    let left = |seen: &mut Seen| {
        gone(seen);
        seen.operations.push(leave("carol"));
    };
    finds_with_bob(left, &[]);
    finds_with_bob(
        |seen| seen.operations.push(leave("carol")),
        &["a lost entry"],
    );
    let never = |seen: &mut Seen| seen.operations.push(joining("dora", id(60), 5));
    finds_with_bob(never, &["a lost entry"]);
    let stuck = |seen: &mut Seen| {
        seen.bookings[3].status = "expired".to_owned();
    };
    finds_with_bob(stuck, &["a lost entry"]);
    let taken = |seen: &mut Seen| {
        let entry = wait(BOBS, "bob", 20, "fulfilled", Some(id(7)));
        seen.waits.push(entry);
    };
    finds_with_bob(taken, &["a lost entry"]);
}

#[test]
fn one_entry_has_one_offer() {
    let another = |seen: &mut Seen| {
        let ten = Booking {
            subject: "bob".to_owned(),
            ..row(id(8), slot(1), "held", 1)
        };
        seen.bookings.push(ten);
        seen.waits
            .push(wait(BOBS, "bob", 12, "offered", Some(id(8))));
    };
    finds_with_bob(another, &["offered twice"]);
    // Once the first has run out it is well.
    let then = |seen: &mut Seen| {
        another(seen);
        let mut over = changes(id(7), 9, &["held", "expired"]).remove(1);
        over.at_us = 11 * SECOND_US;
        seen.history.push(over);
    };
    let mut seen = all_is_well();
    bob_is_offered_nine(&mut seen);
    then(&mut seen);
    let found = check(&seen).violations;
    assert!(
        !found.iter().any(|one| one.name() == "offered twice"),
        "{found:#?}"
    );
}

#[test]
fn one_slot_is_offered_once() {
    let to_carol = |seen: &mut Seen| {
        let nine = Booking {
            subject: "carol".to_owned(),
            ..row(id(8), slot(0), "held", 1)
        };
        seen.bookings.push(nine);
        seen.waits
            .push(wait(CAROLS, "carol", 12, "offered", Some(id(8))));
        let offered = event(8, "HoldOffered", id(8), 1, slot(0));
        seen.saved.push(offered);
    };
    finds_with_bob(to_carol, &["two offers", "two live rows", "double booked"]);
}

#[test]
fn who_came_first_is_offered_first() {
    let began_later = |seen: &mut Seen| {
        seen.waits[0].began_us = -30 * SECOND_US;
        seen.waits[0].at_us = -30 * SECOND_US + 1_000;
    };
    finds_with_bob(began_later, &["unfair"]);
    // Carol had only just come.
    let just_now = |seen: &mut Seen| {
        for (at, second) in [(0, 9), (1, 8)] {
            seen.waits[at].began_us = second * SECOND_US;
            seen.waits[at].at_us = second * SECOND_US + 1_000;
        }
    };
    finds_with_bob(just_now, &[]);
    // Carol waits for something else.
    let elsewhere = |seen: &mut Seen| {
        began_later(seen);
        seen.waits[1].to = slot(0).start;
        let at = seen.operations.len() - 1;
        let mut join = seen.operations[at].clone();
        if let Deed::Join { wish } = &mut join.deed {
            wish.to = slot(0).start;
        }
        seen.operations[at] = join;
    };
    finds_with_bob(elsewhere, &[]);
    // Carol was offered something else just then.
    let busy = |seen: &mut Seen| {
        began_later(seen);
        let offered = wait(CAROLS, "carol", 9, "offered", None);
        seen.waits.insert(2, offered);
    };
    finds_with_bob(busy, &[]);
}

#[test]
fn nobody_is_offered_again_what_they_let_go() {
    let had = |at_s: i64| {
        move |seen: &mut Seen| {
            seen.bookings.push(Booking {
                subject: "bob".to_owned(),
                ..row(id(8), slot(0), "expired", 2)
            });
            let mut changes = changes(id(8), at_s, &["held", "expired"]);
            changes[0].at_us -= 400 * SECOND_US;
            seen.history.extend(changes);
        }
    };
    finds_with_bob(had(-20), &["offered again"]);
    // Before they waited.
    let mut seen = all_is_well();
    bob_is_offered_nine(&mut seen);
    had(-60)(&mut seen);
    let found = check(&seen).violations;
    assert!(
        !found.iter().any(|one| one.name() == "offered again"),
        "{found:#?}"
    );
}

#[test]
fn what_comes_free_is_offered_to_whoever_waits() {
    let ten_came_free = |seen: &mut Seen| {
        for change in &mut seen.history[2..5] {
            change.at_us += 200 * SECOND_US;
        }
    };
    finds_with_bob(ten_came_free, &["withheld"]);
    // An hour that is not always offered is not promised to anybody.
    let fickle = |seen: &mut Seen| {
        ten_came_free(seen);
        let ten = 1 << 10;
        seen.profiles.push(Profile {
            version: 0,
            week: vec![WEEK & !ten; 7],
            ..seen.profiles[0].clone()
        });
    };
    finds_with_bob(fickle, &[]);
}

#[test]
fn an_area_is_around_its_middle() {
    let in_area = |seen: &mut Seen| {
        for wait in &mut seen.waits {
            (wait.practitioner, wait.area) = (None, Some(area(1.0)));
        }
        for operation in &mut seen.operations {
            if let Deed::Join { wish } = &mut operation.deed {
                wish.whom = Whom::Area(0);
            }
        }
    };
    finds_with_bob(in_area, &[]);
    let far = |seen: &mut Seen| {
        in_area(seen);
        seen.places = [(ANNA, place(0.1))].into();
    };
    finds_with_bob(far, &["an odd offer"]);
}

#[test]
fn an_offer_is_told_to_the_patient_only() {
    let untold = |seen: &mut Seen| {
        seen.deliveries.pop();
        seen.mails.pop();
    };
    finds_with_bob(untold, &["untold"]);
    let overheard = |seen: &mut Seen| {
        let mut other = seen.deliveries[8].clone();
        other.audience = "practitioner".to_owned();
        seen.deliveries.push(other);
    };
    finds_with_bob(overheard, &["overheard"]);
}

#[test]
fn the_entries_of_the_erased_are_gone() {
    let erased = |seen: &mut Seen| {
        let done = Outcome::Done(Told::Nothing);
        seen.operations.push(Operation {
            subject: "carol".to_owned(),
            ..operation(Deed::Erase, None, 60_000, done)
        });
    };
    finds_with_bob(erased, &["still waits"]);
    let gone = |seen: &mut Seen| {
        erased(seen);
        seen.waits.push(wait(CAROLS, "carol", 20, "gone", None));
    };
    finds_with_bob(gone, &[]);
}
