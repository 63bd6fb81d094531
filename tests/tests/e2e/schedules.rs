//! When a practitioner works: how soon and how far ahead, weeks, holidays, leave; and what becomes of
//! bookings that a change leaves without a place.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use jiff::Timestamp;
use praxis_tests::directory::{now, today};
use praxis_tests::eventually::ensure;
use praxis_tests::{Answer, Api, Practitioner, Services, World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::flow::free_are;

/// The clock is looked at each minute; the rest is for what follows.
const A_TICK: Duration = Duration::from_secs(120);
const MINUTE_SECONDS: i64 = 60;
const NEAR_SECONDS: i64 = 15;

#[tokio::test]
async fn a_lead_time_and_a_horizon_hold_in_every_answer() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Terms");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    // The day after tomorrow has eight; those of a horizon of five days are two days more.
    let (soon, last) = (&slots[..4], 3 * 8);
    put(&staff, &practitioner, &terms(&soon[3], 1, 5)).await;
    free_are(&alice, &practitioner, &slots[4..last]).await;

    for (slot, reason) in [(&soon[0], "too-soon"), (&slots[last], "beyond-horizon")] {
        let why = explain(&staff, &practitioner, slot).await;
        assert_eq!(why["reason"], reason, "{why}");
        // For a new patient, and for one who could be booked at once.
        for _ in 0..2 {
            let refused = alice.book(practitioner.id, slot).await;
            let refused = refused.expect_problem(422, "slot-not-offered").json();
            assert_eq!(refused["reason"], reason);
            assert_eq!(refused["errors"][0]["pointer"], "/slot_start");
        }
        if reason == "too-soon" {
            alice.book(practitioner.id, &slots[4]).await.expect(201);
        }
    }
    let taken = alice.book(practitioner.id, &slots[4]).await;
    let taken = taken.expect_problem(409, "slot-taken").json();
    assert_eq!(taken["alternatives"][0]["slot_start"], slots[5]);

    // What is held may be confirmed, however soon it is by now.
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[5] });
    let hold = alice.post("/v1/holds", &wish).await.expect(201);
    put(&staff, &practitioner, &terms(&slots[5], 1, 5)).await;
    let body = json!({ "hold_id": hold.text_of("booking_id") }).to_string();
    let headers = [("idempotency-key", "soon")];
    let confirmed = alice
        .send(Method::POST, "/v1/bookings", &headers, Some(body))
        .await;
    confirmed.expect(201);
    free_are(&alice, &practitioner, &slots[6..last]).await;
    world.settle().await;
}

#[tokio::test]
async fn the_clock_alone_takes_a_slot_that_is_too_soon() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Clock");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    // Too soon from the next full minute on, or, if that is near, from the one after it.
    let until_minute = (seconds(&slots[0]) - now().as_second()) % MINUTE_SECONDS;
    let more = if until_minute < NEAR_SECONDS { -1 } else { 0 };
    put(&staff, &practitioner, &terms(&slots[0], more, 62)).await;
    eventually(A_TICK, "the first slot is gone everywhere", async || {
        let (free, source) = practitioner.free_slots(&alice).await;
        let next = practitioner.next_slot_in_search(&alice).await;
        ensure(
            free == slots[1..] && source == "bitmap" && next.as_ref() == slots.get(1),
            format!("{next:?}, {source}: {free:?}"),
        )
    })
    .await;
    let why = explain(&staff, &practitioner, &slots[0]).await;
    assert_eq!(why["reason"], "too-soon", "{why}");
    world.settle().await;
}

#[tokio::test]
async fn weeks_holidays_and_leave_hold_on_their_dates() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Dates");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let day = |days| today(&practitioner.time_zone) + Days::new(days);
    let evenings = json!({ "hours": week(&[18]), "valid_from": day(3), "valid_until": day(6) });
    let mut profile = practitioner.json();
    profile["periods"] = json!([evenings]);
    profile["holidays"] = json!([day(4), day(5)]);
    profile["exceptions"][day(5).to_string()] = json!([12]);
    profile["leave"] = json!([
        { "from": day(8), "until": day(9) },
        { "from": day(7), "until": day(7) },
    ]);
    let answer = put(&staff, &practitioner, &profile).await.json();
    assert_eq!(answer["periods"], json!([evenings]));
    assert_eq!(answer["holidays"], json!([day(4), day(5)]));
    // What touches is one.
    assert_eq!(
        answer["leave"],
        json!([{ "from": day(7), "until": day(9) }])
    );
    let again = staff.get(&path(&practitioner)).await.expect(200);
    assert_eq!(again.json()["leave"], answer["leave"]);
    // The same again is no change.
    let before = again.header("etag").to_owned();
    let same = put(&staff, &practitioner, &profile).await;
    assert_eq!(same.header("etag"), before);

    let at = |date: NaiveDate, hour: u32| local(date, hour);
    let mut expected: Vec<String> = slots[..8].to_vec();
    expected.extend([at(day(3), 18), at(day(5), 12), at(day(6), 18)]);
    free_are(&alice, &practitioner, &expected).await;
    for (slot, reason) in [
        (at(day(3), 18), "free"),
        (at(day(3), 9), "outside-hours"),
        (at(day(4), 18), "holiday"),
        (at(day(5), 18), "exception"),
        (at(day(5), 12), "free"),
        (at(day(7), 9), "leave"),
        (at(day(9), 9), "leave"),
        (at(day(10), 9), "free"),
    ] {
        let why = explain(&staff, &practitioner, &slot).await;
        assert_eq!(why["reason"], reason, "{why}");
        let booked = alice.book(practitioner.id, &slot).await;
        if reason == "free" {
            booked.expect(201);
        } else {
            let refused = booked.expect_problem(422, "slot-not-offered").json();
            assert_eq!(refused["reason"], "outside-hours");
        }
    }
    free_are(
        &alice,
        &practitioner,
        &[&slots[..8], &[at(day(6), 18)]].concat(),
    )
    .await;

    profile["periods"] = json!([]);
    for field in ["holidays", "leave"] {
        profile[field] = Value::Null;
    }
    profile["exceptions"] = practitioner.json()["exceptions"].clone();
    put(&staff, &practitioner, &profile).await;
    // What was booked outside the week takes none of its hours, at twelve it does.
    let mut left = slots.clone();
    left.retain(|slot| *slot != at(day(5), 12));
    free_are(&alice, &practitioner, &left).await;
    world.settle().await;
}

#[tokio::test]
async fn a_change_names_the_bookings_that_it_strands() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Stranded");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let mut ids = Vec::new();
    for slot in [&slots[0], &slots[1], &slots[8]] {
        let booked = alice.book(practitioner.id, slot).await.expect(201);
        ids.push(booked.text_of("booking_id"));
    }
    let first = today(&practitioner.time_zone) + Days::new(2);
    let mut away = practitioner.json();
    away["leave"] = json!([{ "from": first, "until": first }]);
    let told = put(&staff, &practitioner, &away).await.json();
    let told = &told["stranded_bookings"];
    assert_eq!(named(told), ids[..2], "{told}");
    assert_eq!(told["total"], 2);
    assert_eq!(told["items"][0]["reason"], "leave");
    assert_eq!(told["items"][0]["slot_start"], slots[0]);
    assert_eq!(told["items"][0]["local_date"], first.to_string());
    assert_eq!(told["items"][0]["local_time"], "09:00");
    assert_eq!(told["items"][0]["status"], "confirmed");

    // They stand, and can be asked for later.
    let list = format!("{}/stranded-bookings", path(&practitioner));
    let operator = world.api().operator().await;
    for who in [&staff, &operator] {
        assert_eq!(&who.get(&list).await.expect(200).json(), told);
    }
    let after = |slot: &str| format!("{list}?cursor={}", seconds(slot));
    let rest = staff.get(&after(&slots[0])).await.expect(200).json();
    assert_eq!(
        (named(&rest), &rest["total"]),
        (vec![ids[1].clone()], &json!(2))
    );
    let wrong = staff.get(&format!("{list}?cursor=x")).await;
    wrong.expect_problem(400, "bad-request");
    let stranger = world.api().staff("other-clinic").await;
    for stranger in [&alice, &stranger] {
        stranger.get(&list).await.expect(404).check_problem();
    }
    world.api().get(&list).await.expect(401).check_problem();
    let standing = alice.get(&format!("/v1/bookings/{}", ids[0])).await;
    assert_eq!(standing.expect(200).json()["status"], "confirmed");

    // One is moved to where there is a place, one is cancelled.
    alice
        .reschedule(&ids[0], "\"1\"", &slots[9])
        .await
        .expect(201);
    let left = staff.get(&list).await.expect(200).json();
    assert_eq!(named(&left), ids[1..2]);
    alice.cancel(&ids[1], "\"1\"").await.expect(200);
    let none = staff.get(&list).await.expect(200).json();
    assert_eq!(
        none,
        json!({ "total": 0, "items": [], "next_cursor": null })
    );

    // An import says how many; whoever leaves is told of all.
    away["leave"] = json!([{ "from": first, "until": first + Days::new(1) }]);
    let headers = [("content-type", "application/x-ndjson")];
    let line = Some(away.to_string());
    let imported = operator
        .send(Method::POST, "/v1/practitioners:import", &headers, line)
        .await;
    let imported = imported.expect(200).json();
    assert_eq!(imported["stranded_bookings"], 2, "{imported}");
    put(&staff, &practitioner, &practitioner.json()).await;
    let left = staff
        .send(Method::DELETE, &path(&practitioner), &[], None)
        .await;
    let left = left.expect(200).json();
    assert_eq!(left["stranded_bookings"]["total"], 2, "{left}");
    assert_eq!(
        left["stranded_bookings"]["items"][1]["reason"],
        "practitioner-inactive"
    );
    world.settle().await;
}

fn path(practitioner: &Practitioner) -> String {
    format!("/v1/practitioners/{}", practitioner.id)
}

async fn put(staff: &Api, practitioner: &Practitioner, profile: &Value) -> Answer {
    let mut profile = match profile.get("name") {
        Some(_) => profile.clone(),
        // Only what differs.
        None => {
            let mut whole = practitioner.json();
            for (name, value) in profile.as_object().unwrap() {
                whole[name] = value.clone();
            }
            whole
        }
    };
    profile.as_object_mut().unwrap().remove("tenant");
    let body = Some(profile.to_string());
    let path = path(practitioner);
    let answer = staff.send(Method::PUT, &path, &[], body).await;
    answer.expect(200)
}

async fn explain(staff: &Api, practitioner: &Practitioner, slot: &str) -> Value {
    let path = format!(
        "{}/availability/explain?slot_start={slot}",
        path(practitioner)
    );
    staff.get(&path).await.expect(200).json()
}

/// A lead time that is over before a slot, by so many minutes more than are left until it, rounded
/// down; and a horizon.
fn terms(slot: &str, more: i64, horizon_days: u64) -> Value {
    let left = (seconds(slot) - now().as_second()) / MINUTE_SECONDS;
    json!({ "lead_minutes": left + more, "horizon_days": horizon_days })
}

fn seconds(slot: &str) -> i64 {
    let start: Timestamp = slot.parse().unwrap();
    start.as_second()
}

fn named(stranded: &Value) -> Vec<String> {
    let items = stranded["items"].as_array().unwrap();
    let ids = items
        .iter()
        .map(|item| item["booking_id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

fn week(hours: &[u8]) -> Value {
    let days = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    days.map(|day| (day, hours)).into_iter().collect()
}

/// An hour in Berlin, as availability spells it.
fn local(date: NaiveDate, hour: u32) -> String {
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    let date: jiff::civil::Date = date.to_string().parse().unwrap();
    let start = date.at(i8::try_from(hour).unwrap(), 0, 0, 0);
    let start = zone.to_timestamp(start).unwrap();
    DateTime::<Utc>::from_timestamp(start.as_second(), 0)
        .unwrap()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
