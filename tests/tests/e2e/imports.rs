//! Imports whose lines the database cannot take now: tried again, or told one by one.

use praxis_tests::{Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::audit::finds_nothing;
use crate::places::{at_two_places, overlap};

/// Lines saved by one statement.
const BATCH_LINES: usize = 200;
const OUT_OF_MEMORY: &str = "53200";
const SERIALIZATION_FAILURE: &str = "40001";
const ALWAYS: i32 = 1_000;

/// From now on the database refuses whoever has this name with this code, so many times.
async fn refuse(world: &World, one: &Practitioner, code: &str, times: i32) {
    let name = &one.name;
    let refusal = format!(
        "create sequence tries_{code};
        create function refuse_{code}() returns trigger language plpgsql as $$
        begin
            -- No sequence goes back with its transaction.
            if nextval('tries_{code}') <= {times} then
                raise exception 'not now' using errcode = '{code}';
            end if;
            return new;
        end
        $$;
        create trigger refused_{code} before insert on practitioners
            for each row when (new.name = '{name}') execute function refuse_{code}()"
    );
    sqlx::raw_sql(AssertSqlSafe(refusal))
        .execute(&world.database)
        .await
        .unwrap();
}

async fn tries(world: &World, code: &str) -> i64 {
    let last = AssertSqlSafe(format!("select last_value from tries_{code}"));
    sqlx::query_scalar(last)
        .fetch_one(&world.database)
        .await
        .unwrap()
}

async fn take_all(world: &World, code: &str) {
    let take = AssertSqlSafe(format!("drop trigger refused_{code} on practitioners"));
    sqlx::query(take).execute(&world.database).await.unwrap();
}

/// What became of each line.
async fn import(world: &World, practitioners: &[Practitioner]) -> Vec<Value> {
    let lines = practitioners.iter().map(|one| one.json().to_string());
    let body = lines.collect::<Vec<_>>().join("\n");
    let headers = [("content-type", "application/x-ndjson")];
    let operator = world.api().operator().await;
    let answer = operator
        .send(
            Method::POST,
            "/v1/practitioners:import",
            &headers,
            Some(body),
        )
        .await
        .expect(200);
    let told = answer.text.lines().map(serde_json::from_str);
    told.collect::<Result<_, _>>().unwrap()
}

fn statuses(told: &[Value]) -> Vec<&str> {
    told.iter()
        .map(|line| line["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_the_database_cannot_take_now_is_taken_a_moment_later() {
    const TIMES: i32 = 3;
    let world = World::start(Services::Embedded).await;
    for code in [OUT_OF_MEMORY, SERIALIZATION_FAILURE] {
        let all = ["First", code].map(Practitioner::in_berlin);
        refuse(&world, &all[1], code, TIMES).await;
        let told = import(&world, &all).await;
        assert_eq!(statuses(&told), ["created", "created"], "{told:?}");
        assert_eq!(tries(&world, code).await, i64::from(TIMES) + 1);
    }
    world.settle().await;
}

#[tokio::test]
async fn what_it_does_not_take_at_all_is_told_and_the_next_goes_on() {
    let world = World::start(Services::Embedded).await;
    let names = (0..=BATCH_LINES).map(|line| format!("Line{line}"));
    let all: Vec<_> = names.map(|name| Practitioner::in_berlin(&name)).collect();
    refuse(&world, &all[7], OUT_OF_MEMORY, ALWAYS).await;
    let told = import(&world, &all).await;
    assert_eq!(told.len(), all.len());
    for (index, line) in told[..BATCH_LINES].iter().enumerate() {
        assert_eq!(line["line"], index + 1);
        assert_eq!(line["practitioner_id"], all[index].id.to_string());
        assert_eq!(line["status"], "failed", "{line}");
        let detail = line["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("the database is away"), "{detail}");
    }
    assert_eq!(statuses(&told[BATCH_LINES..]), ["created"]);
    // It was tried more than once, and not for ever.
    assert!((4..20).contains(&tries(&world, OUT_OF_MEMORY).await));

    take_all(&world, OUT_OF_MEMORY).await;
    let told = import(&world, &all).await;
    assert!(
        statuses(&told[..BATCH_LINES])
            .iter()
            .all(|status| *status == "created")
    );
    assert_eq!(statuses(&told[BATCH_LINES..]), ["unchanged"]);
    world.settle().await;
    finds_nothing(&world.api().operator().await).await;
}

#[tokio::test]
async fn of_a_batch_only_those_fail_that_others_keep_changing() {
    let world = World::start(Services::Embedded).await;
    let all = ["First", "Busy", "Last"].map(Practitioner::in_berlin);
    refuse(&world, &all[1], SERIALIZATION_FAILURE, ALWAYS).await;
    let told = import(&world, &all).await;
    assert_eq!(statuses(&told), ["created", "failed", "created"]);
    let detail = told[1]["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("others change the same"), "{detail}");
    world.settle().await;
}

#[tokio::test]
async fn a_hold_that_has_run_out_gives_way_to_a_line_that_joins_its_person() {
    let world = World::start(Services::Embedded).await;
    let (berlin, kolkata) = at_two_places();
    let alone = Practitioner {
        person: None,
        ..kolkata.clone()
    };
    world.import(&[&berlin, &alone]).await;
    let alice = world.api().patient("alice").await;
    let (here, _) = berlin.free_slots(&alice).await;
    let (there, _) = kolkata.free_slots(&alice).await;
    let slot = here.iter().find(|slot| overlap(slot, &there[3])).unwrap();
    let wish = json!({ "practitioner_id": berlin.id, "slot_start": slot });
    let held = alice.post("/v1/holds", &wish).await.expect(201);
    alice.book(kolkata.id, &there[3]).await.expect(201);
    let line = import(&world, std::slice::from_ref(&kolkata)).await;
    assert_eq!(statuses(&line), ["rejected"]);
    assert_eq!(line[0]["errors"][0]["pointer"], "/person_id");

    let run_out = "update bookings set hold_expires_at = now() - interval '1 second'
        where id = $1::text::uuid";
    sqlx::query(run_out)
        .bind(held.text_of("booking_id"))
        .execute(&world.database)
        .await
        .unwrap();
    let line = import(&world, std::slice::from_ref(&kolkata)).await;
    assert_eq!(statuses(&line), ["updated"], "{line:?}");
    world.settle().await;
    finds_nothing(&world.api().operator().await).await;
}
