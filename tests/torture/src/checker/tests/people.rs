//! People who are erased.

use super::*;

/// Alice asks to be forgotten, after all else: what she had is cancelled.
fn alice_is_erased(seen: &mut Seen) {
    let done = Outcome::Done(Told::Nothing);
    let erasure = operation(Deed::Erase, None, 90_000, done);
    seen.operations.push(erasure);
    seen.receipts.clear();
    seen.bookings[2].status = "cancelled".to_owned();
    seen.bookings[2].version = 2;
    seen.history
        .push(changes(id(3), 90, &["", "cancelled"]).remove(1));
    let cancelled = event(7, "BookingCancelled", id(3), 2, slot(2));
    for audience in ["patient", "practitioner"] {
        let message = format!("{}-{audience}", cancelled.id);
        seen.deliveries.push(Delivery {
            event: cancelled.id.to_string(),
            audience: audience.to_owned(),
            status: "sent".to_owned(),
            attempts: 1,
            message: Some(message.clone()),
        });
        seen.mails.push(Mail {
            to: audience.to_owned(),
            message,
        });
    }
    seen.saved.push(cancelled.clone());
    seen.published.push(cancelled);
    seen.practitioners[0].version = 7;
    seen.free.get_mut(&ANNA).unwrap().0.insert(slot(2).start);
}

#[track_caller]
fn finds_of_alice(change: impl FnOnce(&mut Seen), names: &[&str]) {
    let erased = |seen: &mut Seen| {
        alice_is_erased(seen);
        change(seen);
    };
    finds(erased, names);
}

#[test]
fn an_erasure_takes_all_with_it() {
    finds_of_alice(|_| {}, &[]);
    let mut seen = all_is_well();
    alice_is_erased(&mut seen);
    assert_eq!(check(&seen).erased, 1);
}

#[test]
fn a_booking_of_the_erased_must_not_live() {
    let lives = |seen: &mut Seen| {
        seen.bookings[2].status = "confirmed".to_owned();
        seen.bookings[2].version = 1;
    };
    finds_of_alice(lives, &["lives on"]);
}

#[test]
fn nothing_personal_stays() {
    let remains = |seen: &mut Seen| {
        let places = ["outbox".to_owned()].into();
        seen.traces.insert("alice".to_owned(), places);
    };
    finds_of_alice(remains, &["remains"]);
    // Of one who came again afterwards it does.
    let again = |seen: &mut Seen| {
        remains(seen);
        let deed = Deed::Book { slot: slot(0) };
        let booked = operation(deed, Some("k9"), 95_000, Outcome::Unknown);
        seen.operations.push(booked);
    };
    finds_of_alice(again, &[]);
}

#[test]
fn what_they_gave_back_is_announced() {
    let unannounced = |seen: &mut Seen| {
        seen.saved.pop();
        seen.published.pop();
    };
    finds_of_alice(
        unannounced,
        &["gap", "events of one commit", "events say otherwise"],
    );
}

#[test]
fn the_erased_may_be_out_of_reach_and_the_practitioner_not() {
    let last = |seen: &mut Seen, back: usize| {
        let at = seen.deliveries.len() - back;
        seen.deliveries[at].status = "no-address".to_owned();
        seen.mails.remove(at);
    };
    finds_of_alice(|seen| last(seen, 2), &[]);
    finds_of_alice(|seen| last(seen, 1), &["untold"]);
    // Of nobody else.
    let reachable = |seen: &mut Seen| {
        seen.deliveries[0].status = "no-address".to_owned();
        seen.mails.remove(0);
    };
    finds(reachable, &["untold"]);
}
