//! "Why not?": what staff are told of a slot that is not offered.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use praxis_tests::directory::{fresh_id, now};
use praxis_tests::{Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::flow::free_are;

#[tokio::test]
async fn staff_are_told_which_rule_took_a_slot_away() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Asked");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booked = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[1] });
    let held = alice.post("/v1/holds", &wish).await.expect(201);
    free_are(&alice, &practitioner, &slots[2..]).await;

    let why = async |start: &str| {
        let answer = staff.get(&path(&practitioner, start)).await.expect(200);
        let answer = answer.json();
        assert_eq!(answer["offered"], answer["reason"] == "free", "{answer}");
        answer
    };
    let of_booked = why(&slots[0]).await;
    assert_eq!(of_booked["reason"], "booked");
    assert_eq!(of_booked["booking_id"], booked.text_of("booking_id"));
    assert_eq!(of_booked["held_until"], Value::Null);
    let of_held = why(&slots[1]).await;
    assert_eq!(of_held["reason"], "held");
    assert_eq!(of_held["booking_id"], held.text_of("booking_id"));
    let until = |answer: &Value, field: &str| -> Timestamp {
        answer[field].as_str().unwrap().parse().unwrap()
    };
    let told = until(&of_held, "held_until").as_second();
    assert_eq!(told, until(&held.json(), "expires_at").as_second());
    for (start, reason, local_time) in [
        (slots[2].clone(), "free", "11:00"),
        (
            slots[2].replace(":00:00Z", ":30:00Z"),
            "misaligned",
            "11:30",
        ),
        (local(-1, 10), "in-the-past", "10:00"),
        (local(70, 10), "beyond-horizon", "10:00"),
        (local(3, 20), "outside-hours", "20:00"),
        // Closed, as the weekly hours are not.
        (local(1, 10), "exception", "10:00"),
        (local(1, 20), "outside-hours", "20:00"),
    ] {
        let answer = why(&start).await;
        assert_eq!(answer["reason"], reason, "{answer}");
        assert_eq!(answer["local_time"], local_time, "{answer}");
        assert_eq!(answer["slot_start"], start, "{answer}");
    }

    // Free is what availability lists, and nothing else.
    let listed: BTreeSet<_> = slots[2..].iter().cloned().collect();
    for hour in 0..72 {
        let start = local(1 + hour / 24, i8::try_from(hour % 24).unwrap());
        let answer = why(&start).await;
        assert_eq!(answer["offered"], listed.contains(&start), "{answer}");
    }

    let operator = world.api().operator().await;
    let profile = format!("/v1/practitioners/{}", practitioner.id);
    operator
        .send(Method::DELETE, &profile, &[], None)
        .await
        .expect(200);
    assert_eq!(why(&slots[2]).await["reason"], "practitioner-inactive");
    world.settle().await;
}

#[tokio::test]
async fn only_staff_of_the_tenant_and_operators_are_told() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Discreet");
    world.import(&[&practitioner]).await;
    let api = world.api();
    let slot = local(2, 10);
    let asked = path(&practitioner, &slot);
    let own = json!({ "sub": practitioner.subject, "roles": ["practitioner"], "tenant": practitioner.tenant });
    let staff = api.staff(&practitioner.tenant).await;
    let operator = api.operator().await;
    for allowed in [&staff, &operator] {
        allowed.get(&asked).await.expect(200);
    }
    for stranger in [
        api.staff("other-clinic").await,
        api.patient("alice").await,
        api.sign_in(own).await,
    ] {
        stranger.get(&asked).await.expect(404).check_problem();
    }
    api.get(&asked).await.expect(401).check_problem();

    let unknown = format!(
        "/v1/practitioners/{}/availability/explain?slot_start={slot}",
        fresh_id()
    );
    staff.get(&unknown).await.expect(404).check_problem();
    let refused = async |api: &Api, query: &str| {
        let path = format!(
            "/v1/practitioners/{}/availability/explain{query}",
            practitioner.id
        );
        let problem = api.get(&path).await.expect_problem(400, "bad-request");
        assert!(problem.text.contains("/query/"), "{}", problem.text);
    };
    for query in [
        "",
        "?slot_start=soon",
        "?slot_start=2026-11-23",
        "?slot_start=9999-01-01T00:00:00Z",
        "?slot_start=0000-01-01T00:00:00Z",
        "?at=2026-11-23T09:00:00Z",
    ] {
        refused(&staff, query).await;
    }
    let posted = staff.send(Method::POST, &asked, &[], None).await;
    posted.expect(405).check_problem();
}

fn path(practitioner: &Practitioner, start: &str) -> String {
    format!(
        "/v1/practitioners/{}/availability/explain?slot_start={start}",
        practitioner.id
    )
}

/// An hour in Berlin, so many days from today.
fn local(days: i32, hour: i8) -> String {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let date = zone.to_datetime(now()).date().saturating_add(days.days());
    let start = date.at(hour, 0, 0, 0).to_zoned(zone).unwrap();
    start.timestamp().to_string()
}
