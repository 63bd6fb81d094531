//! Who may see and change what.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use praxis_tests::directory::now;
use praxis_tests::{Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_caller_may_not_see_is_not_there() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Private");
    let mut elsewhere = Practitioner::in_berlin("Elsewhere");
    elsewhere.tenant = "other-clinic".to_owned();
    world.import(&[&practitioner, &elsewhere]).await;
    let api = world.api();
    let alice = api.patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice
        .book(practitioner.id, &slots[0])
        .await
        .expect(201)
        .text_of("booking_id");
    let path = format!("/v1/bookings/{booking}");

    let own_practitioner = practitioner_of(&api, &practitioner).await;
    let own_staff = api.staff(&practitioner.tenant).await;
    for allowed in [&alice, &own_practitioner, &own_staff] {
        allowed.get(&path).await.expect(200);
    }
    let strangers = [
        api.patient("bob").await,
        practitioner_of(&api, &elsewhere).await,
        api.staff(&elsewhere.tenant).await,
    ];
    for stranger in &strangers {
        stranger.get(&path).await.expect(404).check_problem();
        stranger
            .cancel(&booking, "\"1\"")
            .await
            .expect(404)
            .check_problem();
        stranger
            .reschedule(&booking, "\"1\"", &slots[1])
            .await
            .expect(404)
            .check_problem();
        let list = stranger.get("/v1/bookings").await.expect(200);
        assert!(!list.text.contains(&booking), "{}", list.text);
    }
    assert_eq!(alice.get(&path).await.expect(200).header("etag"), "\"1\"");

    let foreign = format!("/v1/practitioners/{}", practitioner.id);
    let mut profile = practitioner.json();
    profile["tenant"] = json!(elsewhere.tenant);
    let profile = Some(profile.to_string());
    let put = strangers[2].send(Method::PUT, &foreign, &[], profile).await;
    put.expect(404).check_problem();
    strangers[2]
        .send(Method::DELETE, &foreign, &[], None)
        .await
        .expect(404)
        .check_problem();
    world.settle().await;
}

#[tokio::test]
async fn without_a_token_nothing_private_is_answered() {
    let world = World::start(Services::Embedded).await;
    let nobody = world.api();
    let id = Practitioner::in_berlin("Public").id;
    let private = [
        (Method::GET, "/v1/bookings".to_owned()),
        (Method::POST, "/v1/bookings".to_owned()),
        (Method::GET, format!("/v1/bookings/{id}")),
        (Method::POST, format!("/v1/bookings/{id}/cancel")),
        (Method::POST, format!("/v1/bookings/{id}/reschedule")),
        (Method::POST, "/v1/holds".to_owned()),
        (Method::DELETE, format!("/v1/holds/{id}")),
        (Method::POST, format!("/v1/holds/{id}/heartbeat")),
        (Method::GET, format!("/v1/bookings/{id}/history")),
        (Method::GET, "/v1/waitlist".to_owned()),
        (Method::POST, "/v1/waitlist".to_owned()),
        (Method::DELETE, format!("/v1/waitlist/{id}")),
        (Method::GET, "/v1/patients/me".to_owned()),
        (Method::PUT, "/v1/patients/me".to_owned()),
        (Method::DELETE, "/v1/patients/me".to_owned()),
        (Method::PUT, format!("/v1/practitioners/{id}")),
        (Method::DELETE, format!("/v1/practitioners/{id}")),
        (Method::POST, "/v1/practitioners:import".to_owned()),
        (Method::GET, format!("/v1/ops/deliveries?booking_id={id}")),
        (Method::POST, "/v1/ops/suppressions:lift".to_owned()),
        (Method::GET, "/v1/ops/consumers".to_owned()),
    ];
    for (method, path) in private {
        nobody
            .send(method, &path, &[], None)
            .await
            .expect(401)
            .check_problem();
    }
    nobody.get("/v1/specialties").await.expect(200);
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_everywhere() {
    let world = World::start(Services::Embedded).await;
    let api = world.api();
    let good = api.patient("alice").await;
    let [header, claims, signature] = parts(good.token());
    let mut promoted = decode(&claims);
    promoted["roles"] = json!(["operator"]);
    let mut expired = decode(&claims);
    let hour_ago = now().as_second() - i64::try_from(Duration::from_hours(1).as_secs()).unwrap();
    expired["exp"] = json!(hour_ago);
    let unsigned = encode(&json!({ "alg": "none", "typ": "JWT" }));
    let bad = [
        "garbage".to_owned(),
        format!("{header}.{}.{signature}", encode(&promoted)),
        format!("{header}.{}.{signature}", encode(&expired)),
        format!("{header}.{claims}.{}", flipped(&signature)),
        format!("{unsigned}.{claims}."),
    ];
    for token in &bad {
        let impostor = api.with_token(token);
        // Also where no token is needed: a bad one is always a mistake.
        for path in ["/v1/bookings", "/v1/specialties", "/v1/ops/consumers"] {
            impostor.get(path).await.expect(401).check_problem();
        }
    }
    good.get("/v1/bookings").await.expect(200);
}

#[tokio::test]
async fn a_caller_cannot_bring_claims_of_their_own() {
    let world = World::start(Services::Embedded).await;
    let claims = encode(&json!({ "sub": "alice", "roles": ["patient", "operator"] }));
    let forged = [("praxis-claims", claims.as_str())];
    let nobody = world.api();
    let answer = nobody
        .send(Method::GET, "/v1/bookings", &forged, None)
        .await;
    answer.expect(401).check_problem();
}

async fn practitioner_of(api: &Api, practitioner: &Practitioner) -> Api {
    api.sign_in(json!({
        "sub": practitioner.subject,
        "roles": ["practitioner"],
        "tenant": practitioner.tenant,
    }))
    .await
}

fn parts(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap()
}

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// Another signature of the same length.
fn flipped(signature: &str) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[7] ^= 1;
    URL_SAFE_NO_PAD.encode(bytes)
}
