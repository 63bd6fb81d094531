//! A broken template loses no message, and a canary says its share.

use praxis_tests::{Practitioner, Services, World, mail};
use serde_json::json;

use super::{Template, author, mail_that_fails_at_last, mail_that_says};

const BOOKINGS: usize = 24;

#[tokio::test]
async fn a_broken_template_loses_no_message() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Broken");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let template = Template::of(&staff, "booking-created/email/en", "patient");
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;

    // Nothing was published before it: the built-in words speak.
    let broken = template.published(&mail_that_fails_at_last("Never")).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    let told = mail::wait_for(&alice, "alice@patients.example", 1).await;
    assert!(told.subject.unwrap().starts_with("Your appointment on "));

    let good = template.published(&mail_that_says("Good words")).await;
    let worse = template.published(&mail_that_fails_at_last("Never")).await;
    assert_eq!((broken, good, worse), (1, 2, 3));
    let booking = alice.book(practitioner.id, &slots[1]).await.expect(201);
    let told = mail::wait_for(&alice, "alice@patients.example", 2).await;
    assert_eq!(told.subject.as_deref(), Some("Good words"));

    let failures = template.get("/failures").await.expect(200).json();
    let items = failures["items"].as_array().unwrap();
    let versions: Vec<_> = items.iter().map(|item| item["version"].clone()).collect();
    assert_eq!(versions, [json!(3), json!(1)], "{failures:#}");
    let detail = items[0]["detail"].as_str().unwrap();
    assert!(detail.contains("line 1"), "{detail}");
    world.settle().await;
    let path = format!(
        "/v1/ops/deliveries?booking_id={}",
        booking.text_of("booking_id")
    );
    let ledger = staff.get(&path).await.expect(200).json();
    let patient = ledger["items"].as_array().unwrap();
    let patient = patient.iter().find(|item| item["audience"] == "patient");
    assert_eq!(patient.unwrap()["template_version"], 2, "{ledger:#}");
    // The one in use, and then the built-in one, failed nobody.
    let patients: i64 = sqlx::query_scalar(
        "select count(*) from deliveries where audience = 'patient' and status = 'sent'",
    )
    .fetch_one(&world.database)
    .await
    .unwrap();
    assert_eq!(patients, 2);
}

#[tokio::test]
async fn a_canary_says_its_share_until_it_is_rolled_back() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Canary");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    let template = Template::of(&staff, "booking-created/email/en", "practitioner");
    template.published(&mail_that_says("Old words")).await;
    let canary = template.drafted(&mail_that_says("New words")).await;
    let path = format!("/versions/{canary}/publish");
    let publish = async |share: i64| {
        let body = Some(json!({ "share": share }));
        template.post(&path, Some("\"1\""), body).await
    };
    publish(0).await.expect_problem(400, "bad-request");
    publish(101).await.expect_problem(400, "bad-request");
    let state = publish(50).await.expect(200).json();
    assert_eq!(state["published"], 1);
    assert_eq!(state["canary"], json!({ "version": 2, "share": 50 }));

    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    for slot in &slots[..BOOKINGS] {
        alice.book(practitioner.id, slot).await.expect(201);
    }
    mail::wait_for(&alice, &practitioner.email, BOOKINGS).await;
    let told = mail::to(&alice, &practitioner.email).await;
    let new = told
        .iter()
        .filter(|mail| mail.subject.as_deref() == Some("New words"))
        .count();
    // Of 2²³ runs, one would fail.
    assert!((1..BOOKINGS).contains(&new), "{new} of {BOOKINGS}");

    let state = template
        .post("/rollback", None, None)
        .await
        .expect(200)
        .json();
    assert_eq!(state["canary"], json!(null));
    assert_eq!(state["published"], 1);
    alice
        .book(practitioner.id, &slots[BOOKINGS])
        .await
        .expect(201);
    let told = mail::wait_for(&alice, &practitioner.email, BOOKINGS + 1).await;
    drop(told);
    let newest = mail::to(&alice, &practitioner.email).await;
    let newly = newest
        .iter()
        .filter(|mail| mail.subject.as_deref() == Some("New words"))
        .count();
    assert_eq!(newly, new);
    world.settle().await;
}
