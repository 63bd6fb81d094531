//! Booking with any practitioner.

use std::collections::BTreeMap;

use futures::future::join_all;
use praxis_tests::api::fresh_key;
use praxis_tests::directory::{SPECIALTY, same_instant};
use praxis_tests::{Answer, Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};

const CLIENTS: usize = 30;

#[tokio::test]
async fn the_soonest_slot_is_booked_and_of_those_the_nearest() {
    let world = World::start(Services::Embedded).await;
    let mut near = Practitioner::in_berlin("Later");
    near.hours = vec![11];
    let mut far = Practitioner::in_berlin("Sooner");
    far.lat += 0.1;
    far.hours = vec![9, 11];
    let mut away = Practitioner::in_berlin("Soonest");
    away.lat += 3.0;
    away.hours = vec![8];
    world.import(&[&near, &far, &away]).await;
    let alice = world.api().patient("alice").await;

    let (eleven, _) = near.free_slots(&alice).await;

    let first = book(&alice, &around(&near)).await.expect(201).json();
    assert_eq!(first["practitioner_id"], far.id.to_string());
    assert_eq!(first["local_time"], "09:00");
    assert_eq!(first["status"], "confirmed");
    let second = book(&alice, &around(&near)).await.expect(201).json();
    assert_eq!(second["practitioner_id"], near.id.to_string());
    assert_eq!(slot_of(&second), eleven[0]);

    // From eleven to eleven of the next day, its end excluded.
    let mut wish = around(&near);
    wish["from"] = json!(eleven[1]);
    wish["to"] = json!(eleven[2]);
    for (practitioner, time) in [(&near, "11:00"), (&far, "11:00"), (&far, "09:00")] {
        let booked = book(&alice, &wish).await.expect(201).json();
        assert_eq!(booked["practitioner_id"], practitioner.id.to_string());
        assert_eq!(booked["local_time"], time);
    }
    book(&alice, &wish).await.expect_problem(409, "none-free");
    world.settle().await;
}

/// More than are considered at a time.
const CROWD: u32 = 130;

#[tokio::test]
async fn when_nobody_near_is_free_then_those_further_away_are_asked() {
    let world = World::start(Services::Embedded).await;
    let crowd: Vec<_> = (0..CROWD)
        .map(|n| {
            let mut one = Practitioner::in_berlin(&format!("Near{n}"));
            one.lat += f64::from(n) * 0.0001;
            one.hours = vec![9];
            one
        })
        .collect();
    let mut far = Practitioner::in_berlin("Far");
    far.lat += 0.15;
    far.hours = vec![9, 14];
    let lines: Vec<_> = crowd
        .iter()
        .chain([&far])
        .map(|one| one.json().to_string())
        .collect();
    world.import_lines(&lines.join("\n")).await;
    world.settle().await;
    let alice = world.api().patient("alice").await;
    let found = alice.get(&far.search_path()).await.expect(200).json();
    assert_eq!(found["total"], u64::from(CROWD) + 1);

    // An afternoon: all of them have a free slot before, and only one has one in it.
    let (slots, _) = far.free_slots(&alice).await;
    let mut wish = around(&far);
    wish["lat"] = json!(crowd[0].lat);
    wish["from"] = json!(slots[1]);
    wish["to"] = json!(slots[2]);
    let booked = book(&alice, &wish).await.expect(201).json();
    assert_eq!(booked["practitioner_id"], far.id.to_string());
    assert_eq!(booked["local_time"], "14:00");
    book(&alice, &wish).await.expect_problem(409, "none-free");
    world.settle().await;
}

#[tokio::test]
async fn of_many_at_once_each_gets_a_slot_of_their_own_until_nothing_is_left() {
    let world = World::start(Services::Embedded).await;
    let practitioners: Vec<_> = (0..3)
        .map(|n| {
            let mut one = Practitioner::in_berlin(&format!("Any{n}"));
            one.lat += f64::from(n) * 0.01;
            one.hours = (9..15).collect();
            one
        })
        .collect();
    world
        .import(&practitioners.iter().collect::<Vec<_>>())
        .await;
    let clients =
        join_all((0..CLIENTS).map(async |n| world.api().patient(&format!("any-{n}")).await)).await;
    // One day of them: 3 × 6 slots for 30.
    let (slots, _) = practitioners[0].free_slots(&clients[0]).await;
    let mut wish = around(&practitioners[0]);
    wish["to"] = json!(slots[6]);
    let answers = join_all(clients.iter().map(|client| book(client, &wish))).await;

    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (18, CLIENTS - 18));
    for answer in lost {
        answer.expect_problem(409, "none-free");
    }
    let mut had: BTreeMap<(String, String), usize> = BTreeMap::new();
    for answer in &won {
        let slot = slot_of(&answer.json());
        assert!(slot < slots[6], "{slot} is not within the window");
        *had.entry((answer.text_of("practitioner_id"), slot))
            .or_default() += 1;
    }
    assert!(had.values().all(|times| *times == 1), "{had:?}");
    world.settle().await;
}

#[tokio::test]
async fn the_same_key_books_one_practitioner_however_often_it_is_sent() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Once");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let wish = around(&practitioner);
    let key = fresh_key();
    let repeats = (0..8).map(|_| book_with_key(&alice, &wish, &key));
    let answers = join_all(repeats).await;
    let bodies: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect(201).json())
        .collect();
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:#?}");
    let again = book_with_key(&alice, &wish, &key).await.expect(201);
    assert_eq!(again.json(), bodies[0]);
    let mut other = wish.clone();
    other["radius_km"] = json!(11);
    book_with_key(&alice, &other, &key)
        .await
        .expect_problem(422, "idempotency-key-reused");
    let rows: i64 = sqlx::query_scalar("select count(*) from bookings")
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(rows, 1);
    world.settle().await;
}

#[tokio::test]
async fn whom_the_index_still_shows_as_free_is_passed_over() {
    let world = World::start(Services::Embedded).await;
    let (near, mut far) = (
        Practitioner::in_berlin("Full"),
        Practitioner::in_berlin("Free"),
    );
    far.lat += 0.1;
    world.import(&[&near, &far]).await;
    let alice = world.api().patient("alice").await;
    // Behind the back of the index.
    sqlx::query("update practitioners set active = false where id = $1")
        .bind(near.id)
        .execute(&world.database)
        .await
        .unwrap();
    let booked = book(&alice, &around(&near)).await.expect(201).json();
    assert_eq!(booked["practitioner_id"], far.id.to_string());
    world.settle().await;
}

#[tokio::test]
async fn staff_find_any_practitioner_of_their_own_tenant_only() {
    let world = World::start(Services::Embedded).await;
    let mut near = Practitioner::in_berlin("Foreign");
    near.tenant = "other-clinic".to_owned();
    let mut own = Practitioner::in_berlin("Own");
    own.lat += 0.1;
    world.import(&[&near, &own]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = own.free_slots(&alice).await;
    let patient = alice.book(own.id, &slots[0]).await.expect(201);
    let patient = patient.text_of("patient_id");
    let body = json!({ "search": around(&own), "patient_id": patient });
    let staff = world.api().staff(&own.tenant).await;
    let booked = post(&staff, &body, &fresh_key()).await.expect(201).json();
    assert_eq!(booked["practitioner_id"], own.id.to_string());
    let stranger = world.api().staff("third-clinic").await;
    post(&stranger, &body, &fresh_key()).await.expect(404);
    world.settle().await;
}

fn around(practitioner: &Practitioner) -> Value {
    json!({
        "lat": practitioner.lat,
        "lon": practitioner.lon,
        "radius_km": 20,
        "specialty": SPECIALTY,
    })
}

async fn book(api: &Api, search: &Value) -> Answer {
    book_with_key(api, search, &fresh_key()).await
}

async fn book_with_key(api: &Api, search: &Value, key: &str) -> Answer {
    post(api, &json!({ "search": search }), key).await
}

async fn post(api: &Api, body: &Value, key: &str) -> Answer {
    let headers = [("idempotency-key", key)];
    let body = Some(body.to_string());
    api.send(Method::POST, "/v1/bookings", &headers, body).await
}

fn slot_of(booking: &Value) -> String {
    same_instant(booking["slot_start"].as_str().unwrap())
}
