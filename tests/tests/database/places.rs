//! Somebody who works at several places: nobody is at two of them at once, whoever asks, in whatever order,
//! and each place's stream tells what the others take.

mod clinic;
mod joining;
mod storm;

use futures::future::join;

use self::clinic::{AT_ONE_PLACE, BERLIN, Clinic, KOLKATA, LONDON};
use crate::practice::End;

const ROUNDS: usize = 30;
const BY: &str = "staff:desk";
const TAKEN: &str = "HourTakenElsewhere";
const FREED: &str = "HourFreedElsewhere";

#[tokio::test]
async fn an_hour_in_berlin_takes_two_in_kolkata_and_gives_them_back() {
    let clinic = Clinic::open(1, 1, 4).await;
    let [berlin, kolkata, london] = clinic.places(0);
    // 09:00 to 10:00 there is 13:30 to 14:30 here.
    let booked = clinic.book(berlin, 0, 9).await.done();
    for (hour, is_free) in [(12, true), (13, false), (14, false), (15, true)] {
        let end = clinic.book(kolkata, 0, hour).await;
        match is_free {
            true => drop(end.done()),
            false => end.refused_by(AT_ONE_PLACE),
        }
    }
    clinic.book(london, 0, 8).await.refused_by(AT_ONE_PLACE);
    let two = [TAKEN, TAKEN];
    let one = [TAKEN, "BookingCreated", "BookingCreated"];
    assert_eq!(clinic.practice.announced(kolkata.id).await, one);
    assert_eq!(
        clinic.practice.announced(berlin.id).await,
        [&["BookingCreated"][..], &two].concat()
    );
    clinic.practice.cancel(&booked, BY).await.done();
    clinic.book(kolkata, 0, 13).await.done();
    clinic.book(kolkata, 0, 14).await.done();
    let last = clinic.practice.announced(kolkata.id).await;
    assert_eq!(last[3..], [FREED, "BookingCreated", "BookingCreated"]);
    clinic.is_in_order().await;
}

#[tokio::test]
async fn a_move_gives_back_what_it_leaves_and_takes_what_it_comes_to() {
    let clinic = Clinic::open(1, 1, 4).await;
    let [berlin, _, london] = clinic.places(0);
    let booked = clinic.book(berlin, 0, 9).await.done();
    let other = clinic.book(london, 0, 11).await.done();
    clinic
        .reschedule(berlin, &booked, 12)
        .await
        .refused_by(AT_ONE_PLACE);
    let moved = clinic.reschedule(berlin, &booked, 10).await.done();
    clinic.book(london, 0, 8).await.done();
    clinic.book(london, 0, 9).await.refused_by(AT_ONE_PLACE);
    clinic.practice.cancel(&other, BY).await.done();
    clinic.reschedule(berlin, &moved, 12).await.done();
    clinic.is_in_order().await;
    assert_eq!(
        clinic.practice.announced(london.id).await,
        [
            TAKEN,
            "BookingCreated",
            FREED,
            TAKEN,
            "BookingCreated",
            "BookingCancelled",
            FREED,
            TAKEN
        ]
    );
}

#[tokio::test]
async fn a_hold_is_one_hour_everywhere_until_it_has_run_out() {
    let clinic = Clinic::open(1, 2, 4).await;
    let [berlin, kolkata, _] = clinic.places(0);
    let held = clinic.hold(berlin, 0, 9, 60).await.done();
    clinic.book(kolkata, 1, 13).await.refused_by(AT_ONE_PLACE);
    clinic.expire_elsewhere(kolkata, 13).await;
    clinic.book(kolkata, 1, 13).await.refused_by(AT_ONE_PLACE);
    // To confirm it takes nothing more.
    let told = clinic.practice.announced(kolkata.id).await.len();
    let confirmed = clinic.practice.confirm(held.id, BY).await.done();
    assert_eq!(clinic.practice.announced(kolkata.id).await.len(), told);
    clinic.practice.cancel(&confirmed, BY).await.done();

    let held = clinic.hold(berlin, 0, 9, 60).await.done();
    clinic.practice.let_run_out(held.id).await;
    clinic.book(kolkata, 1, 13).await.refused_by(AT_ONE_PLACE);
    clinic.expire_elsewhere(kolkata, 13).await;
    assert_eq!(clinic.practice.find(held.id).await.status, "expired");
    clinic.book(kolkata, 1, 13).await.done();
    let last = clinic.practice.announced(berlin.id).await;
    assert_eq!(last[last.len() - 2..], ["HoldExpired", TAKEN]);
    // Or the timer comes by.
    let held = clinic.hold(berlin, 0, 12, 60).await.done();
    clinic.practice.let_run_out(held.id).await;
    assert_eq!(clinic.practice.expire().await, Ok(1));
    clinic.book(kolkata, 1, 16).await.done();
    clinic.is_in_order().await;
}

#[tokio::test]
async fn the_statement_for_ordinary_bookings_leaves_it_to_the_other_one() {
    let clinic = Clinic::open(1, 1, 4).await;
    let [_, _, london] = clinic.places(0);
    let end = clinic
        .practice
        .book_at_once(clinic.wish(london, 0, 9))
        .await;
    assert!(matches!(end, End::NotApplied), "{end:?}");
    let ordinary = clinic.practice.employ(LONDON.0).await;
    let wish = crate::practice::Wish {
        practitioner: ordinary,
        ..clinic.wish(london, 0, 9)
    };
    clinic.practice.book_at_once(wish).await.done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_places_that_are_asked_at_once_one_is_booked() {
    let clinic = Clinic::open(1, 2, 8).await;
    let [berlin, kolkata, _] = clinic.places(0);
    for _ in 0..ROUNDS {
        let (here, there) = join(clinic.book(berlin, 0, 9), clinic.book(kolkata, 1, 14)).await;
        let booked = match (here, there) {
            (End::Done(booked), End::Refused(by)) | (End::Refused(by), End::Done(booked)) => {
                assert_eq!(by, AT_ONE_PLACE);
                booked
            }
            other => panic!("{other:?}"),
        };
        clinic.practice.cancel(&booked, BY).await.done();
    }
    clinic.is_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn moves_that_cross_between_places_both_find_the_hour_taken() {
    let clinic = Clinic::open(1, 2, 8).await;
    let [berlin, _, london] = clinic.places(0);
    let here = clinic.book(berlin, 0, 9).await.done();
    let there = clinic.book(london, 1, 11).await.done();
    for _ in 0..ROUNDS {
        let (first, second) = join(
            clinic.reschedule(berlin, &here, 12),
            clinic.reschedule(london, &there, 8),
        )
        .await;
        first.refused_by(AT_ONE_PLACE);
        second.refused_by(AT_ONE_PLACE);
    }
    clinic.is_in_order().await;
}

/// Both are looked at by the constraint, which waits for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hold_that_is_extended_or_confirmed_stands_against_a_booking_elsewhere() {
    let clinic = Clinic::open(1, 2, 8).await;
    let [berlin, kolkata, _] = clinic.places(0);
    for round in 0..ROUNDS {
        let held = clinic.hold(berlin, 0, 9, 60).await.done();
        let change = async {
            match round % 2 {
                0 => clinic.practice.confirm(held.id, BY).await,
                _ => clinic.practice.extend(&held, 120, 600, BY).await,
            }
        };
        let (changed, elsewhere) = join(change, clinic.book(kolkata, 1, 14)).await;
        elsewhere.refused_by(AT_ONE_PLACE);
        clinic.practice.cancel(&changed.done(), BY).await.done();
    }
    clinic.is_in_order().await;
}

#[tokio::test]
async fn who_is_erased_gives_the_hour_back_everywhere() {
    let clinic = Clinic::open(1, 2, 4).await;
    let [berlin, kolkata, _] = clinic.places(0);
    clinic.book(berlin, 0, 9).await.done();
    let patient = clinic.practice.patients[0];
    clinic.practice.erase(patient).await.unwrap();
    clinic.book(kolkata, 1, 13).await.done();
    let told = clinic.practice.announced(kolkata.id).await;
    assert_eq!(told, [TAKEN, FREED, "BookingCreated"]);
    clinic.is_in_order().await;
}

#[tokio::test]
async fn a_place_that_is_given_up_leaves_the_other_as_it_is() {
    let clinic = Clinic::open(1, 2, 4).await;
    let [berlin, kolkata, _] = clinic.places(0);
    let booked = clinic.book(berlin, 0, 9).await.done();
    clinic.deactivate(berlin).await;
    // What is booked there stands, and takes its hour, until somebody cancels it.
    clinic.book(kolkata, 1, 13).await.refused_by(AT_ONE_PLACE);
    clinic.book(kolkata, 1, 15).await.done();
    clinic.practice.cancel(&booked, BY).await.done();
    clinic.book(kolkata, 1, 13).await.done();
    let end = clinic.book(berlin, 0, 18).await;
    assert!(matches!(end, End::NotApplied), "{end:?}");
    assert_eq!(BERLIN.0, berlin.zone.0);
    assert_eq!(KOLKATA.0, kolkata.zone.0);
}
