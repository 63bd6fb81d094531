//! Somebody who works at two places, in two zones: what is booked at one is taken at the other, wherever one
//! looks.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use praxis_tests::directory::fresh_id;
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Answer, Api, Practitioner, Services, World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::audit::{audit, finds_nothing};
use crate::flow::free_are;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// One person, in Berlin and in Kolkata, whose clock is half an hour off.
pub fn at_two_places() -> (Practitioner, Practitioner) {
    let person = Some(fresh_id());
    let berlin = Practitioner {
        person,
        lat: 52.9,
        hours: (0..24).collect(),
        ..Practitioner::in_berlin("Here")
    };
    let kolkata = Practitioner {
        person,
        lat: 22.57,
        lon: 88.36,
        hours: (9..21).collect(),
        ..Practitioner::in_zone("There", "Asia/Kolkata")
    };
    (berlin, kolkata)
}

pub fn overlap(one: &str, other: &str) -> bool {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    at(one).duration_since(at(other)).abs() < HOUR
}

fn apart_from(slots: &[String], taken: &[&String]) -> Vec<String> {
    let is_free = |slot: &&String| !taken.iter().any(|taken| overlap(slot, taken));
    slots.iter().filter(is_free).cloned().collect()
}

#[tokio::test]
async fn an_hour_at_one_place_is_gone_at_the_other() {
    taken_and_given_back(Services::Embedded).await;
}

#[tokio::test]
async fn nor_is_it_there_over_kafka_and_with_a_search_server() {
    taken_and_given_back(Services::Brokered).await;
}

async fn taken_and_given_back(services: Services) {
    let world = World::start(services).await;
    let (berlin, kolkata) = at_two_places();
    world.import(&[&berlin, &kolkata]).await;
    let alice = world.api().patient("alice").await;
    let bob = world.api().patient("bob").await;
    let staff = world.api().staff(&berlin.tenant).await;
    let operator = world.api().operator().await;
    let (here, _) = berlin.free_slots(&alice).await;
    let (there, _) = kolkata.free_slots(&alice).await;
    // Half an hour of it is the first slot there, the other half is before they open.
    let first = here.iter().find(|slot| overlap(slot, &there[0])).unwrap();
    let mut both = here.iter().rev().filter(|slot| overlap(slot, &there[1]));
    let second = both.next().unwrap();

    let booked = alice.book(berlin.id, first).await.expect(201);
    free_are(&alice, &kolkata, &apart_from(&there, &[first])).await;
    let later = alice.book(berlin.id, second).await.expect(201);
    let left = apart_from(&there, &[first, second]);
    assert_eq!(left[0], there[3], "each but the first takes two");
    free_are(&alice, &kolkata, &left).await;
    let mine = apart_from(&here, &[first, second]);
    assert_eq!(mine.len(), here.len() - 2);

    let why = explain(&staff, &kolkata, &there[0]).await;
    assert_eq!(why["reason"], "booked-elsewhere", "{why}");
    assert_eq!(why["booking_id"], booked.text_of("booking_id"));
    assert_eq!(why["offered"], false);
    // Both are there; neither is any other patient's to know.
    let free = explain(&staff, &kolkata, &left[0]).await;
    assert_eq!(free["reason"], "free", "{free}");
    let path = explain_path(&kolkata, &there[0]);
    alice.get(&path).await.expect(404).check_problem();

    // Behind midnight in Kolkata, its days reach further than Berlin's.
    let is_both = |slot: &&String| here.iter().any(|other| overlap(slot, other));
    let last = left.iter().rev().find(is_both).unwrap();
    // For a new patient, and for one who could be booked at once.
    for _ in 0..2 {
        let refused = bob.book(kolkata.id, &there[0]).await;
        let refused = refused.expect_problem(409, "slot-taken").json();
        assert_eq!(refused["alternatives"][0]["slot_start"], left[0]);
        bob.book(kolkata.id, last).await;
    }
    let wish = json!({ "practitioner_id": kolkata.id, "slot_start": there[1] });
    let refused = bob.post("/v1/holds", &wish).await;
    refused.expect_problem(409, "slot-taken");
    let at_kolkata = eventually(SOON, "bob's booking is there", async || {
        let mine = bob.get("/v1/bookings").await.expect(200).json();
        mine["items"]
            .as_array()
            .unwrap()
            .first()
            .cloned()
            .ok_or("none")
    })
    .await;
    let id = at_kolkata["booking_id"].as_str().unwrap();
    let moved = bob.reschedule(id, "\"1\"", &there[1]).await;
    moved.expect_problem(409, "slot-taken");
    let at_last = here.iter().find(|slot| overlap(slot, last)).unwrap();
    let later_id = later.text_of("booking_id");
    let moved = alice.reschedule(&later_id, "\"1\"", at_last).await;
    moved.expect_problem(409, "slot-taken");

    // Who waits there is offered what is given back here.
    let wish = json!({
        "practitioner_id": kolkata.id,
        "from": there[1],
        "to": there[2].parse::<Timestamp>().unwrap(),
    });
    let carol = world.api().patient("carol").await;
    carol.post("/v1/waitlist", &wish).await.expect(201);
    alice.cancel(&later_id, "\"1\"").await.expect(200);
    let offer = eventually(SOON, "carol is offered the hour", async || {
        let entries = carol.get("/v1/waitlist").await.expect(200).json();
        let entry = entries["items"][0].clone();
        ensure(entry["status"] == "offered", &entry)?;
        Ok::<_, String>(entry)
    })
    .await;
    let why = explain(&staff, &berlin, second).await;
    assert_eq!(why["reason"], "booked-elsewhere", "{why}");
    assert!(why["held_until"].is_string(), "{why}");
    let hold = offer["booking"]["booking_id"].as_str().unwrap();
    let given_back = carol
        .send(Method::DELETE, &format!("/v1/holds/{hold}"), &[], None)
        .await;
    given_back.expect(204);
    let id = booked.text_of("booking_id");
    alice.cancel(&id, "\"1\"").await.expect(200);
    bob.cancel(at_kolkata["booking_id"].as_str().unwrap(), "\"1\"")
        .await
        .expect(200);
    free_are(&alice, &kolkata, &there).await;
    free_are(&alice, &berlin, &here).await;
    world.settle().await;
    finds_nothing(&operator).await;
}

#[tokio::test]
async fn nothing_differs_while_both_places_are_booked_at_once() {
    const ROUNDS: usize = 12;
    let world = World::start(Services::Embedded).await;
    let (berlin, kolkata) = at_two_places();
    world.import(&[&berlin, &kolkata]).await;
    let operator = world.api().operator().await;
    let done = AtomicBool::new(false);
    let load = async {
        let clients = [
            (&berlin, "alice"),
            (&kolkata, "bob"),
            (&berlin, "carol"),
            (&kolkata, "dora"),
        ];
        let clients = clients.map(async |(place, name)| {
            let patient = world.api().patient(name).await;
            let (slots, _) = kolkata.free_slots(&patient).await;
            let (own, _) = place.free_slots(&patient).await;
            let near: Vec<_> = own
                .iter()
                .filter(|slot| slots[..4].iter().any(|other| overlap(slot, other)))
                .collect();
            let mut booked = 0;
            for round in 0..ROUNDS {
                let answer = patient.book(place.id, near[round % near.len()]).await;
                if answer.status == 409 {
                    continue;
                }
                let made = answer.expect(201);
                booked += 1;
                place.free_slots(&patient).await;
                let (id, etag) = (made.text_of("booking_id"), made.header("etag"));
                let moved = patient
                    .reschedule(&id, etag, near[(round + 1) % near.len()])
                    .await;
                let last = if moved.status == 201 { &moved } else { &made };
                let (id, etag) = (last.text_of("booking_id"), last.header("etag"));
                patient.cancel(&id, etag).await.expect(200);
            }
            booked
        });
        let booked: usize = futures::future::join_all(clients).await.into_iter().sum();
        done.store(true, Ordering::Relaxed);
        booked
    };
    let look = async {
        let mut is_last = false;
        while !is_last {
            is_last = done.load(Ordering::Relaxed);
            let found = audit(&operator, Method::GET).await;
            assert!(found.named.is_empty(), "{found:#?}");
        }
    };
    let (booked, ()) = tokio::join!(load, look);
    assert!(booked >= ROUNDS, "{booked}");
    world.settle().await;
    finds_nothing(&operator).await;
}

#[tokio::test]
async fn a_person_is_told_of_and_joined_and_left_in_the_profile() {
    let world = World::start(Services::Embedded).await;
    let (berlin, kolkata) = at_two_places();
    world.import(&[&berlin, &kolkata]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&berlin.tenant).await;
    let person = berlin.person.unwrap().to_string();
    let profile = world.api().get(&path(&berlin)).await.expect(200).json();
    assert_eq!(profile["person_id"], person);
    let places = profile["locations"].as_array().unwrap();
    assert_eq!(places.len(), 1, "{profile}");
    assert_eq!(places[0]["practitioner_id"], kolkata.id.to_string());
    assert_eq!(places[0]["time_zone"], "Asia/Kolkata");
    assert_eq!(places[0]["location"], json!({ "lat": 22.57, "lon": 88.36 }));
    assert_eq!(places[0]["address"], "Markt 1");

    // Left, both can be booked for the same hour; joined again, not while they are.
    let alone = Practitioner {
        person: None,
        ..kolkata.clone()
    };
    let left = put(&staff, &alone).await.expect(200).json();
    assert_eq!(
        (&left["person_id"], &left["locations"]),
        (&Value::Null, &json!([]))
    );
    let (here, _) = berlin.free_slots(&alice).await;
    let (there, _) = kolkata.free_slots(&alice).await;
    let slot = here.iter().find(|slot| overlap(slot, &there[3])).unwrap();
    let one = alice.book(berlin.id, slot).await.expect(201);
    let other = alice.book(kolkata.id, &there[3]).await.expect(201);
    let third = alice.book(kolkata.id, &there[6]).await.expect(201);
    let refused = put(&staff, &kolkata).await;
    let refused = refused.expect_problem(409, "person-booked-twice").json();
    assert_eq!(
        refused["bookings"],
        json!([{
            "booking_id": other.text_of("booking_id"),
            "other_booking_id": one.text_of("booking_id"),
            "other_practitioner_id": berlin.id,
        }])
    );
    assert_eq!(refused["errors"][0]["pointer"], "/person_id");
    let unchanged = staff.get(&path(&kolkata)).await.expect(200).json();
    assert_eq!(unchanged["person_id"], Value::Null);
    let line = import(&world, &kolkata.json()).await;
    assert_eq!(line["status"], "rejected");
    assert_eq!(line["errors"][0]["pointer"], "/person_id");
    let cancelled = alice.cancel(&other.text_of("booking_id"), "\"1\"").await;
    cancelled.expect(200);
    put(&staff, &kolkata).await.expect(200);
    let left = apart_from(&here, &[slot, &there[6]]);
    free_are(&alice, &berlin, &left).await;
    free_are(&alice, &kolkata, &apart_from(&there, &[slot, &there[6]])).await;

    // One place is given up; the other goes on, and what is booked there still counts.
    let gone = staff.send(Method::DELETE, &path(&kolkata), &[], None).await;
    assert_eq!(gone.expect(200).json()["stranded_bookings"]["total"], 1);
    let profile = world.api().get(&path(&berlin)).await.expect(200).json();
    assert_eq!(profile["locations"], json!([]));
    free_are(&alice, &berlin, &left).await;
    let cancelled = alice.cancel(&third.text_of("booking_id"), "\"1\"").await;
    cancelled.expect(200);
    free_are(&alice, &berlin, &apart_from(&here, &[slot])).await;
    world.settle().await;
    finds_nothing(&world.api().operator().await).await;
}

#[tokio::test]
async fn a_person_has_ten_places_of_one_tenant() {
    let world = World::start(Services::Embedded).await;
    let person = Some(fresh_id());
    let place = || Practitioner {
        person,
        ..Practitioner::in_berlin("Many")
    };
    let all: Vec<Practitioner> = (0..11).map(|_| place()).collect();
    let lines: Vec<String> = all.iter().map(|one| one.json().to_string()).collect();
    world.import_lines(&lines[..10].join("\n")).await;
    let line = import(&world, &all[10].json()).await;
    assert_eq!(line["errors"][0]["pointer"], "/person_id", "{line}");
    let staff = world.api().staff(&all[10].tenant).await;
    let refused = put(&staff, &all[10]).await;
    let refused = refused.expect_problem(400, "bad-request");
    assert!(refused.text.contains("10 places"), "{}", refused.text);

    let stranger = Practitioner {
        tenant: "north".to_owned(),
        ..place()
    };
    let refused = put(&world.api().staff("north").await, &stranger).await;
    let refused = refused.expect_problem(400, "bad-request");
    assert_eq!(refused.json()["errors"][0]["pointer"], "/person_id");
    assert!(!refused.text.contains(&all[0].tenant), "{}", refused.text);
    let line = import(&world, &stranger.json()).await;
    assert_eq!(line["status"], "rejected", "{line}");
    let mut odd = stranger.json();
    odd["person_id"] = json!("Dr. Many");
    let line = import(&world, &odd).await;
    assert_eq!(line["errors"][0]["detail"], "must be a UUID", "{line}");
    world.settle().await;
}

fn path(practitioner: &Practitioner) -> String {
    format!("/v1/practitioners/{}", practitioner.id)
}

async fn put(staff: &Api, practitioner: &Practitioner) -> Answer {
    let body = Some(practitioner.json().to_string());
    staff
        .send(Method::PUT, &path(practitioner), &[], body)
        .await
}

/// What became of one line.
async fn import(world: &World, line: &Value) -> Value {
    let headers = [("content-type", "application/x-ndjson")];
    let operator = world.api().operator().await;
    let answer = operator
        .send(
            Method::POST,
            "/v1/practitioners:import",
            &headers,
            Some(line.to_string()),
        )
        .await;
    answer.expect(200).json()
}

fn explain_path(practitioner: &Practitioner, slot: &str) -> String {
    let path = path(practitioner);
    format!("{path}/availability/explain?slot_start={slot}")
}

async fn explain(staff: &Api, practitioner: &Practitioner, slot: &str) -> Value {
    let answer = staff.get(&explain_path(practitioner, slot)).await;
    answer.expect(200).json()
}
