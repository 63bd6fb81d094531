//! What staff read of a booking's past, and for whom they may book.

use praxis_tests::{Api, Practitioner, Services, World, api};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

async fn book_for(api: &Api, practitioner: Uuid, slot: &str, patient: &str) -> api::Answer {
    let key = api::fresh_key();
    let body =
        json!({ "practitioner_id": practitioner, "slot_start": slot, "patient_id": patient });
    let headers = [("idempotency-key", key.as_str())];
    api.send(
        Method::POST,
        "/v1/bookings",
        &headers,
        Some(body.to_string()),
    )
    .await
}

#[tokio::test]
async fn staff_read_who_changed_a_booking_and_when() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Past");
    let mut elsewhere = Practitioner::in_berlin("Elsewhere");
    elsewhere.tenant = "other-clinic".to_owned();
    world.import(&[&practitioner, &elsewhere]).await;
    let alice = world.api().patient("alice").await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let own = json!({ "sub": practitioner.subject, "roles": ["practitioner"] });
    let own = world.api().sign_in(own).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booked = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let patient = booked.text_of("patient_id");
    let first = booked.text_of("booking_id");
    let moved = own.reschedule(&first, "\"1\"", &slots[1]).await.expect(201);
    let second = moved.text_of("booking_id");
    staff.cancel(&second, "\"1\"").await.expect(200);
    alice
        .send(Method::DELETE, "/v1/patients/me", &[], None)
        .await
        .expect(204);

    let path = |booking: &str| format!("/v1/bookings/{booking}/history");
    let history = async |booking: &str| {
        let answer = staff.get(&path(booking)).await.expect(200).json();
        assert_eq!(answer["booking_id"], booking);
        let changes = answer["changes"].as_array().unwrap().clone();
        assert!(changes.iter().all(|change| change["at"].is_string()));
        let told = changes.iter().map(|change| {
            json!([
                change["version"],
                change["from_version"],
                change["change"],
                change["status"],
                change["slot_start"],
                change["actor"]["role"],
                change["actor"]["id"],
            ])
        });
        Value::from_iter(told)
    };
    let by = &practitioner.subject;
    assert_eq!(
        history(&first).await,
        json!([
            [1, null, "booked", "confirmed", slots[0], "patient", patient],
            [
                2,
                1,
                "moved-away",
                "rescheduled",
                slots[0],
                "practitioner",
                by
            ],
        ])
    );
    assert_eq!(
        history(&second).await,
        json!([
            [
                1,
                null,
                "moved-here",
                "confirmed",
                slots[1],
                "practitioner",
                by
            ],
            [
                2,
                1,
                "cancelled",
                "cancelled",
                slots[1],
                "staff",
                "staff-of-clinic"
            ],
        ])
    );

    let strangers = world.api().staff(&elsewhere.tenant).await;
    strangers
        .get(&path(&first))
        .await
        .expect(404)
        .check_problem();
    own.get(&path(&first)).await.expect(403).check_problem();
    alice.get(&path(&first)).await.expect(403).check_problem();
    world
        .api()
        .get(&path(&first))
        .await
        .expect(401)
        .check_problem();
    world.settle().await;
}

#[tokio::test]
async fn staff_and_practitioners_book_for_patients_whom_the_tenant_knows_and_for_nobody_else() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Known");
    let mut elsewhere = Practitioner::in_berlin("Elsewhere");
    elsewhere.tenant = "other-clinic".to_owned();
    world.import(&[&practitioner, &elsewhere]).await;
    let (alice, bob) = (
        world.api().patient("alice").await,
        world.api().patient("bob").await,
    );
    let staff = world.api().staff(&practitioner.tenant).await;
    let own = json!({ "sub": practitioner.subject, "roles": ["practitioner"] });
    let own = world.api().sign_in(own).await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let visit = alice.book(practitioner.id, &slots[0]).await.expect(201);
    let alice_id = visit.text_of("patient_id");
    // Cancelled, too: she was here.
    alice
        .cancel(&visit.text_of("booking_id"), "\"1\"")
        .await
        .expect(200);
    let (other_slots, _) = elsewhere.free_slots(&bob).await;
    let visit = bob.book(elsewhere.id, &other_slots[0]).await.expect(201);
    let bob_id = visit.text_of("patient_id");

    for (n, desk) in [&staff, &own].into_iter().enumerate() {
        book_for(desk, practitioner.id, &slots[n + 1], &alice_id)
            .await
            .expect(201);
        // The same answer for who is elsewhere and for who is nowhere.
        let nobody = "00000000-0000-4000-8000-000000000000";
        let elsewhere = book_for(desk, practitioner.id, &slots[5], &bob_id).await;
        let nowhere = book_for(desk, practitioner.id, &slots[5], nobody).await;
        assert_eq!(elsewhere.expect(404).json(), nowhere.expect(404).json());
        let wish = json!({
            "practitioner_id": practitioner.id, "slot_start": slots[5], "patient_id": bob_id,
        });
        desk.post("/v1/holds", &wish).await.expect(404);
    }
    bob.book(practitioner.id, &slots[4]).await.expect(201);
    book_for(&staff, practitioner.id, &slots[5], &bob_id)
        .await
        .expect(201);
    world.settle().await;
}

#[tokio::test]
async fn a_profile_that_has_changed_in_the_meantime_is_not_overwritten() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Edited");
    world.import(&[&practitioner]).await;
    let staff = world.api().staff(&practitioner.tenant).await;
    let path = format!("/v1/practitioners/{}", practitioner.id);
    let put = async |name: &str, if_match: Option<&str>| {
        let mut profile = practitioner.json();
        profile["name"] = json!(name);
        let headers: Vec<_> = if_match
            .map(|etag| ("if-match", etag))
            .into_iter()
            .collect();
        staff
            .send(Method::PUT, &path, &headers, Some(profile.to_string()))
            .await
    };
    let seen = staff.get(&path).await.expect(200);
    let first = seen.header("etag").to_owned();
    let renamed = put("Dr. New", Some(&first)).await.expect(200);
    let second = renamed.header("etag").to_owned();
    assert_ne!(first, second);
    assert_eq!(staff.get(&path).await.expect(200).header("etag"), second);
    put("Dr. Late", Some(&first))
        .await
        .expect_problem(412, "version-conflict");
    put("Dr. Odd", Some("W/\"1\""))
        .await
        .expect(400)
        .check_problem();
    assert_eq!(staff.get(&path).await.expect(200).json()["name"], "Dr. New");
    // A booking changes the stream, but not the profile.
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    assert_eq!(staff.get(&path).await.expect(200).header("etag"), second);
    // What is unchanged stays what it is, and without the header the last one wins.
    assert_eq!(
        put("Dr. New", Some(&second))
            .await
            .expect(200)
            .header("etag"),
        second
    );
    let third = put("Dr. Last", None).await.expect(200);
    let third = third.header("etag").to_owned();

    let delete = async |etag: &str| {
        staff
            .send(Method::DELETE, &path, &[("if-match", etag)], None)
            .await
    };
    delete(&second)
        .await
        .expect_problem(412, "version-conflict");
    delete(&third).await.expect(200);
    let gone = staff.get(&path).await.expect(200);
    assert_eq!(gone.json()["active"], false);

    // Who expects somebody does not make them.
    let nobody = Practitioner::in_berlin("Nobody");
    let path = format!("/v1/practitioners/{}", nobody.id);
    staff
        .send(
            Method::PUT,
            &path,
            &[("if-match", "\"1\"")],
            Some(nobody.json().to_string()),
        )
        .await
        .expect_problem(412, "version-conflict");
    staff.get(&path).await.expect(404);
    world.settle().await;
}
