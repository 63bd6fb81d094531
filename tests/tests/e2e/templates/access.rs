//! Nothing of one tenant is visible or usable by another.

use praxis_tests::{Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::json;

use super::{Template, author, mail_that_says};

#[tokio::test]
async fn another_tenants_words_are_not_there() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Secret");
    let mut elsewhere = Practitioner::in_berlin("Stranger");
    elsewhere.tenant = "other-clinic".to_owned();
    world.import(&[&practitioner, &elsewhere]).await;
    let api = world.api();
    let staff = author(&api).await;
    let template = Template::of(&staff, "booking-created/email/en", "patient");
    template.published(&mail_that_says("Ours alone")).await;

    let one = "/v1/tenants/clinic/templates/booking-created/email/en";
    let endpoints = [
        (Method::GET, "/v1/tenants/clinic".to_owned()),
        (Method::PUT, "/v1/tenants/clinic".to_owned()),
        (Method::GET, "/v1/tenants/clinic/templates".to_owned()),
        (Method::GET, one.to_owned()),
        (Method::GET, format!("{one}/versions")),
        (Method::POST, format!("{one}/versions")),
        (Method::GET, format!("{one}/versions/1")),
        (Method::POST, format!("{one}/versions/1/preview")),
        (Method::POST, format!("{one}/versions/1/test-send")),
        (Method::POST, format!("{one}/versions/1/publish")),
        (Method::POST, format!("{one}/rollback")),
        (Method::GET, format!("{one}/changes")),
        (Method::GET, format!("{one}/failures")),
    ];
    let headers = [("if-match", "\"1\""), ("content-type", "text/x-jinja")];
    let practitioners = json!({
        "sub": practitioner.subject, "roles": ["practitioner"], "tenant": "clinic",
    });
    let strangers = [
        api.staff("other-clinic").await,
        api.patient("alice").await,
        api.sign_in(practitioners).await,
    ];
    for (method, path) in &endpoints {
        let body = Some(mail_that_says("Theirs"));
        for stranger in &strangers {
            let answer = stranger.send(method.clone(), path, &headers, body.clone());
            answer.await.expect_problem(404, "not-found");
        }
        let answer = api.send(method.clone(), path, &headers, body);
        answer.await.expect(401).check_problem();
    }
    let state = template.get("").await.expect(200);
    assert_eq!(state.header("etag"), "\"1\"");
    assert_eq!(state.json()["state"]["versions"], 1);

    // What became of a booking's news is told to its own staff.
    let bob = api.patient("bob").await;
    let (slots, _) = practitioner.free_slots(&bob).await;
    let booked = bob.book(practitioner.id, &slots[0]).await.expect(201);
    world.settle().await;
    let path = format!(
        "/v1/ops/deliveries?booking_id={}",
        booked.text_of("booking_id")
    );
    let told = async |staff: &Api| {
        let told = staff.get(&path).await.expect(200).json();
        told["items"].as_array().unwrap().len()
    };
    assert_eq!(told(&staff).await, 2);
    assert_eq!(told(&api.staff("other-clinic").await).await, 0);

    // Their own words stay with them, and an operator sees both.
    let other = api.staff("other-clinic").await;
    let own = "/v1/tenants/other-clinic/templates";
    let listed = other.get(own).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
    let path = format!("{own}/booking-created/email/en");
    let built_in = other.get(&path).await.expect(200);
    assert!(!built_in.text.contains("Ours alone"), "{}", built_in.text);
    let operator = api.operator().await;
    let listed = operator
        .get("/v1/tenants/clinic/templates")
        .await
        .expect(200);
    assert_eq!(listed.json()["items"].as_array().unwrap().len(), 1);
    operator
        .get("/v1/tenants/nobodys/templates")
        .await
        .expect_problem(404, "not-found");

    // And what is sent for them is theirs.
    let alice = api.patient("alice").await;
    let (slots, _) = elsewhere.free_slots(&alice).await;
    alice.book(elsewhere.id, &slots[0]).await.expect(201);
    world.settle().await;
    let told = praxis_tests::mail::wait_for(&alice, "alice@patients.example", 1).await;
    assert!(told.subject.unwrap().starts_with("Your appointment on "));
}

#[tokio::test]
async fn what_is_no_template_is_not_there() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Nothing");
    world.import(&[&practitioner]).await;
    let staff = author(&world.api()).await;
    for path in [
        "booking-lost/email/en",
        "booking-created/fax/en",
        "booking-created/email",
        "booking-created/sms/en?audience=practitioner",
        "hold-offered/email/en?audience=practitioner",
        "booking-created/email/en/versions/one",
        "booking-created/email/en/versions/1",
    ] {
        let path = format!("/v1/tenants/clinic/templates/{path}");
        staff.get(&path).await.expect_problem(404, "not-found");
    }
    for path in [
        "booking-created/email/no%20language",
        "booking-created/email/en?audience=everybody",
        "booking-created/email/en?size=1",
    ] {
        let path = format!("/v1/tenants/clinic/templates/{path}");
        staff.get(&path).await.expect_problem(400, "bad-request");
    }
    let bad = json!({ "name": "X", "logo_url": "http://insecure.example/x.png" });
    let headers = [("if-match", "\"1\"")];
    staff
        .send(
            Method::PUT,
            "/v1/tenants/clinic",
            &headers,
            Some(bad.to_string()),
        )
        .await
        .expect_problem(400, "bad-request");
    let new = author_of_new(&world).await;
    let body = Some(json!({ "name": "New clinic" }).to_string());
    let first = [("if-match", "\"0\"")];
    let path = "/v1/tenants/new-clinic";
    new.get(path).await.expect_problem(404, "not-found");
    new.send(Method::PUT, path, &first, body.clone())
        .await
        .expect(201);
    new.send(Method::PUT, path, &first, body)
        .await
        .expect_problem(412, "version-conflict");
    new.get(path).await.expect(200);
}

async fn author_of_new(world: &World) -> Api {
    world.api().staff("new-clinic").await
}
