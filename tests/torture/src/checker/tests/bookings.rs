//! Bookings, streams, read models and notices.

use super::*;

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
        let booked = operation(
            deed,
            Some("k4"),
            50_000,
            made(id(4), 1, "confirmed", eleven),
        );
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
        let held = operation(deed, None, 2_000, made(id(9), 1, "held", slot(0)));
        seen.operations.push(held);
    };
    finds(early, &["two at once", "lost"]);
}

#[test]
fn a_hold_is_not_counted_on_beyond_its_time() {
    let late = |seen: &mut Seen| {
        let deed = Deed::Hold { slot: slot(0) };
        let held = operation(deed, None, 2_000_000, made(id(5), 1, "held", slot(0)));
        seen.operations.push(held);
        let deed = Deed::Book { slot: slot(0) };
        let booked = operation(
            deed,
            Some("k6"),
            303_000_000,
            made(id(6), 1, "confirmed", slot(0)),
        );
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
        let again = operation(
            deed,
            Some("k1"),
            5_000,
            made(id(3), 1, "confirmed", slot(2)),
        );
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

#[test]
fn every_change_is_in_the_history_once() {
    finds(|seen| drop(seen.history.remove(1)), &["unrecorded"]);
    let twice = |seen: &mut Seen| {
        let again = seen.history[1].clone();
        seen.history.push(again);
    };
    finds(twice, &["unrecorded"]);
}

#[test]
fn a_change_that_nobody_made_is_found() {
    let otherwise = |seen: &mut Seen| seen.history[1].change = "released".to_owned();
    finds(
        |seen| seen.history[1].change = "changed".to_owned(),
        &["unexplained"],
    );
    // Alice cancelled it: that ends a hold as well.
    finds(otherwise, &[]);
    finds(
        |seen| seen.history[3].change = "extended".to_owned(),
        &["unexplained"],
    );
}

/// Alice's hold of nine o'clock is kept alive once, and then it runs out.
fn a_hold_runs_out(seen: &mut Seen, after_s: i64) {
    let nine = slot(0);
    let held = made(id(5), 1, "held", nine);
    let kept = made(id(5), 2, "held", nine);
    let hold = id(5);
    seen.operations.extend([
        operation(Deed::Hold { slot: nine }, None, 50_000, held),
        operation(Deed::Heartbeat { hold }, None, 60_000, kept),
    ]);
    seen.bookings.push(row(id(5), nine, "expired", 3));
    let mut changes = changes(id(5), 50, &["held", "extended", "expired"]);
    changes[2].at_us = changes[0].at_us + after_s * SECOND_US;
    seen.history.extend(changes);
    for event in [
        event(7, "SlotHeld", id(5), 1, nine),
        event(8, "HoldExpired", id(5), 3, nine),
    ] {
        seen.saved.push(event.clone());
        seen.published.push(event);
    }
    seen.practitioners[0].version = 8;
}

#[test]
fn a_heartbeat_is_no_event_and_a_hold_runs_out_in_time() {
    finds(|seen| a_hold_runs_out(seen, 300), &[]);
    finds(|seen| a_hold_runs_out(seen, 200), &["unexplained"]);
    let hastened = |seen: &mut Seen| {
        a_hold_runs_out(seen, 10);
        let deed = Deed::LetExpire { hold: id(5) };
        let done = Outcome::Done(Told::Nothing);
        seen.operations.push(operation(deed, None, 70_000, done));
    };
    finds(hastened, &[]);
    let announced = |seen: &mut Seen| {
        a_hold_runs_out(seen, 300);
        seen.saved.push(event(9, "SlotHeld", id(5), 2, slot(0)));
    };
    finds(announced, &["events of one commit"]);
    let by_nobody = |seen: &mut Seen| {
        a_hold_runs_out(seen, 300);
        seen.operations.pop();
    };
    finds(by_nobody, &["unexplained"]);
}

#[test]
fn a_hold_that_was_given_back_has_ended() {
    let released = |seen: &mut Seen| {
        let deed = Deed::Release { hold: id(2) };
        let done = Outcome::Done(Told::Nothing);
        seen.operations.push(operation(deed, None, 70_000, done));
    };
    finds(released, &["lost"]);
}

#[test]
fn any_practitioner_is_one_of_the_area() {
    let any = |seen: &mut Seen| seen.operations[0].deed = Deed::BookAny { area: 0 };
    finds(any, &[]);
    let far = |seen: &mut Seen| {
        any(seen);
        seen.places = [(ANNA, place(0.1))].into();
    };
    finds(far, &["astray"]);
    let other = |seen: &mut Seen| {
        any(seen);
        seen.areas[0].specialty = "dentistry".to_owned();
    };
    finds(other, &["astray"]);
    // One key, one booking.
    let twice = |seen: &mut Seen| {
        any(seen);
        let again = Operation {
            outcome: made(id(3), 1, "confirmed", slot(2)),
            ..seen.operations[0].clone()
        };
        seen.operations.push(again);
    };
    finds(twice, &["answered twice"]);
    let unknown = |seen: &mut Seen| {
        any(seen);
        seen.operations[0].outcome = Outcome::Unknown;
    };
    finds(unknown, &[]);
}
