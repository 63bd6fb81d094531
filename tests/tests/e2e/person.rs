//! A patient's own profile: its versions, and its end.

use praxis_tests::directory::fresh_id;
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Answer, Api, Practitioner, Services, World, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const ME: &str = "/v1/patients/me";

#[tokio::test]
async fn of_two_who_edit_a_profile_nobody_undoes_the_other_unseen() {
    let world = World::start(Services::Embedded).await;
    let alice = world.api().patient("alice").await;
    let named = |name: &str| json!({ "name": name });

    // Nobody has written it yet.
    assert_eq!(alice.get(ME).await.expect(200).header("etag"), "\"0\"");
    let early = put(&alice, &named("Early"), Some("\"1\"")).await;
    let conflict = early.expect_problem(412, "version-conflict");
    assert_eq!(conflict.json()["current_version"], 0);
    let first = put(&alice, &named("Alice"), Some("\"0\""))
        .await
        .expect(200);
    assert_eq!(first.header("etag"), "\"1\"");
    let again = put(&alice, &named("Twice"), Some("\"0\"")).await;
    again.expect_problem(412, "version-conflict");

    let second = put(&alice, &named("Alice B."), Some("\"1\""))
        .await
        .expect(200);
    assert_eq!(second.header("etag"), "\"2\"");
    let late = put(&alice, &named("Alice C."), Some("\"1\"")).await;
    let conflict = late.expect_problem(412, "version-conflict");
    assert_eq!(conflict.json()["current_version"], 2);
    let seen = alice.get(ME).await.expect(200);
    assert_eq!(seen.header("etag"), "\"2\"");
    assert_eq!(seen.json()["name"], "Alice B.");

    // Who does not say what they have seen has the last word.
    let unsaid = put(&alice, &named("Alice D."), None).await.expect(200);
    assert_eq!(unsaid.header("etag"), "\"3\"");
    for odd in ["3", "W/\"3\"", "\"three\"", "*"] {
        let answer = put(&alice, &named("Odd"), Some(odd)).await;
        let problem = answer.expect_problem(400, "bad-request").json();
        assert_eq!(problem["errors"][0]["pointer"], "/header/If-Match", "{odd}");
    }
}

#[tokio::test]
async fn what_was_still_under_way_makes_nobody_a_person_again_who_was_erased() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Discreet");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let key = fresh_id().to_string();
    let booked = alice.book_with_key(practitioner.id, &slots[0], &key).await;
    let patient = booked.expect(201).text_of("patient_id");
    alice.send(Method::DELETE, ME, &[], None).await.expect(204);

    // The retry of a client that had no answer, and an old page in a browser.
    let retried = alice.book_with_key(practitioner.id, &slots[0], &key).await;
    retried.expect_problem(403, "patient-erased");
    let wish = json!({ "practitioner_id": practitioner.id, "slot_start": slots[1] });
    let held = alice.post("/v1/holds", &wish).await;
    held.expect_problem(403, "patient-erased");
    let wait = json!({ "practitioner_id": practitioner.id, "to": "2198-01-01T00:00:00Z" });
    let waits = alice.post("/v1/waitlist", &wait).await;
    waits.expect_problem(403, "patient-erased");
    let any = json!({ "search": {
        "lat": practitioner.lat, "lon": practitioner.lon, "radius_km": 10,
        "specialty": praxis_tests::directory::SPECIALTY,
    }});
    let headers = [("idempotency-key", "any")];
    let any = alice
        .send(
            Method::POST,
            "/v1/bookings",
            &headers,
            Some(any.to_string()),
        )
        .await;
    any.expect_problem(403, "patient-erased");
    let written = put(&alice, &json!({ "name": "Alice" }), None).await;
    written.expect_problem(403, "patient-erased");
    // Erased is erased, however often.
    alice.send(Method::DELETE, ME, &[], None).await.expect(204);
    let people: i64 = sqlx::query_scalar("select count(*) from patients where subject is not null")
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(people, 0);

    // Signed in again, in a later second: somebody new.
    let anew = eventually(SOON, "a new token begins anew", async || {
        let alice = world.api().patient("alice").await;
        let booked = alice.book(practitioner.id, &slots[0]).await;
        ensure(booked.status == 201, &booked.text)?;
        Ok::<_, String>(booked.text_of("patient_id"))
    })
    .await;
    assert_ne!(anew, patient);
    world.settle().await;
}

async fn put(api: &Api, profile: &Value, if_match: Option<&str>) -> Answer {
    let headers: Vec<_> = if_match
        .map(|etag| ("if-match", etag))
        .into_iter()
        .collect();
    api.send(Method::PUT, ME, &headers, Some(profile.to_string()))
        .await
}
