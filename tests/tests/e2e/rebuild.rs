//! The index and the bitmap, made anew beside those that answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use praxis_tests::{Api, Practitioner, Services, World};
use reqwest::Method;
use serde_json::{Value, json};

use crate::audit::{audit, finds_nothing, import};
use crate::flow::free_are;
use crate::operator;
use crate::refill::command;

mod log;
mod refusals;

/// Of each client: all of them are told of, on two cores too.
const ROUNDS_MAX: usize = 300;
const REBUILT: [&str; 2] = ["search", "availability"];

/// `praxis rebuild`: whether it is content, and all that it prints.
async fn rebuild(world: &World, operator: &Api, arguments: &[&str]) -> (bool, String) {
    operator::command(world, operator, "rebuild", arguments).await
}

async fn works(world: &World, operator: &Api, arguments: &[&str]) -> String {
    let (is_content, said) = rebuild(world, operator, arguments).await;
    assert!(is_content, "{arguments:?}: {said}");
    said
}

async fn fails(world: &World, operator: &Api, arguments: &[&str]) -> String {
    let (is_content, said) = rebuild(world, operator, arguments).await;
    assert!(!is_content, "{arguments:?}: {said}");
    said
}

async fn state(operator: &Api, what: &str) -> Value {
    let path = format!("/v1/ops/rebuilds/{what}");
    operator.get(&path).await.expect(200).json()
}

fn role(state: &Value) -> &str {
    state["beside"]["role"].as_str().unwrap_or("none")
}

async fn begin(operator: &Api, what: &str) -> u64 {
    let path = format!("/v1/ops/rebuilds/{what}");
    let begun = operator.post(&path, &json!({})).await.expect(201).json();
    begun["generation"].as_u64().unwrap()
}

async fn load(operator: &Api, what: &str, generation: u64) {
    let path = format!("/v1/ops/rebuilds/{what}/load?generation={generation}");
    let done = operator.send(Method::POST, &path, &[], None).await;
    assert_eq!(done.expect(200).json()["next_cursor"], Value::Null);
}

/// The hash of a practitioner's days in the generation that answers.
async fn key(operator: &Api, practitioner: &Practitioner) -> String {
    let current = state(operator, "availability").await["current"].clone();
    format!("praxis:{{{}}}:days:{current}", practitioner.id)
}

#[tokio::test]
async fn both_are_made_anew_while_everybody_books_and_searches() {
    none_notices(Services::Embedded).await;
}

#[tokio::test]
async fn and_so_are_they_by_two_hosts_on_kafka_and_a_search_server() {
    none_notices(Services::Brokered).await;
}

async fn none_notices(services: Services) {
    let world = World::start(services).await;
    world.without_the_slow_audit().await;
    let all = import(&world, ["One", "Two", "Three", "Four", "Five"]).await;
    let mut another = None;
    if services == Services::Brokered {
        another = Some(world.another_host().await);
    }
    let operator = world.api().operator().await;
    let done = AtomicBool::new(false);
    let load = async {
        let clients = all.iter().zip(["alice", "bob", "carol", "dora", "emil"]);
        let clients = clients.map(async |(practitioner, name)| {
            let patient = world.api().patient(name).await;
            let (slots, _) = practitioner.free_slots(&patient).await;
            let mut round = 0;
            while !done.load(Ordering::Relaxed) && round < ROUNDS_MAX {
                let slot = &slots[round % 4];
                let booked = patient.book(practitioner.id, slot).await.expect(201);
                let (id, etag) = (booked.text_of("booking_id"), booked.header("etag"));
                patient.cancel(&id, etag).await.expect(200);
                round += 1;
            }
            // It stays.
            patient.book(practitioner.id, &slots[0]).await.expect(201);
            round
        });
        let rounds = futures::future::join_all(clients).await;
        assert!(rounds.iter().all(|round| *round > 0), "{rounds:?}");
    };
    let look = async {
        let patient = world.api().patient("vera").await;
        let mut asked = 0;
        while !done.load(Ordering::Relaxed) {
            let answer = patient.get(&all[0].search_path()).await.expect(200).json();
            let items = answer["items"].as_array().unwrap();
            let found = all.iter().filter(|one| {
                let mut items = items.iter();
                items.any(|item| item["practitioner_id"] == one.id.to_string())
            });
            assert_eq!(found.count(), all.len(), "{answer:#}");
            for one in &all {
                one.free_slots(&patient).await;
            }
            asked += 1;
        }
        assert!(asked > 0);
    };
    let anew = async {
        for what in REBUILT {
            let said = works(&world, &operator, &[what, "--from", "snapshot"]).await;
            for part in [
                "loaded 5 ",
                "compared 5: 0 differ, 0 are not there",
                "answers now",
            ] {
                assert!(said.contains(part), "{part} is not in {said}");
            }
            assert_eq!(role(&state(&operator, what).await), "previous");
            works(&world, &operator, &[what, "--rollback"]).await;
            works(&world, &operator, &[what, "--rollback"]).await;
            // The one before goes first.
            works(&world, &operator, &[what, "--from", "snapshot"]).await;
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, look, anew);
    world.settle().await;
    finds_nothing(&operator).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = all[0].free_slots(&alice).await;
    for one in &all {
        free_are(&alice, one, &slots).await;
        let next = one.next_slot_in_search(&alice).await;
        assert_eq!(next.as_ref(), slots.first(), "{}", one.name);
    }
    if let Some(another) = another {
        let other = Api::nobody(&another.base);
        for one in &all {
            let next = one.next_slot_in_search(&other).await;
            assert_eq!(next.as_ref(), slots.first(), "{}", one.name);
        }
    }
    world.settle().await;
}

/// The days are there before anybody asks; the way back has lost nothing; and there is one way back.
#[tokio::test]
async fn what_was_built_is_warm_and_what_was_before_is_kept_up_to_date() {
    let world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let [one, other] = import(&world, ["One", "Other"]).await;
    let operator = world.api().operator().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = one.free_slots(&alice).await;
    alice.book(one.id, &slots[0]).await.expect(201);
    world.settle().await;
    for what in REBUILT {
        works(&world, &operator, &[what, "--from", "snapshot"]).await;
    }
    for (practitioner, free) in [(&one, &slots[1..]), (&other, &slots[..])] {
        let (seen, source) = practitioner.free_slots(&alice).await;
        assert_eq!((&seen[..], &source[..]), (free, "bitmap"));
        let next = practitioner.next_slot_in_search(&alice).await;
        assert_eq!(next.as_ref(), free.first());
    }
    alice.book(one.id, &slots[1]).await.expect(201);
    free_are(&alice, &one, &slots[2..]).await;
    world.settle().await;
    for what in REBUILT {
        works(&world, &operator, &[what, "--rollback"]).await;
    }
    let (seen, source) = one.free_slots(&alice).await;
    assert_eq!((&seen[..], &source[..]), (&slots[2..], "bitmap"));
    assert_eq!(one.next_slot_in_search(&alice).await.as_ref(), slots.get(2));
    finds_nothing(&operator).await;
    for what in REBUILT {
        let said = fails(&world, &operator, &[what, "--drop"]).await;
        assert!(said.contains("nothing is being built"), "{said}");
        works(&world, &operator, &[what, "--drop-old"]).await;
        assert_eq!(role(&state(&operator, what).await), "none");
        for arguments in [[what, "--rollback"], [what, "--drop-old"]] {
            let said = fails(&world, &operator, &arguments).await;
            assert!(said.contains("there is no generation before"), "{said}");
        }
    }
    let left: Vec<String> = command(&world, redis::cmd("KEYS").arg("*:days:*")).await;
    assert!(left.is_empty(), "{left:?}");
    world.settle().await;
}

/// The audit mends what answers, and what is being built is as full as before.
#[tokio::test]
async fn what_is_being_built_keeps_its_days_when_the_audit_heals() {
    let world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let [same, ahead, ours] = import(&world, ["Same", "Ahead", "Ours"]).await;
    let operator = world.api().operator().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = same.free_slots(&alice).await;
    for one in [&ahead, &ours] {
        one.free_slots(&alice).await;
    }
    let built = begin(&operator, "availability").await;
    load(&operator, "availability", built).await;
    let key_of = |one: &Practitioner, generation: &str| {
        let id = one.id;
        format!("praxis:{{{id}}}:days{generation}")
    };
    let beside = format!(":{built}");
    let whole = async |one: &Practitioner| -> BTreeMap<String, String> {
        let key = key_of(one, &beside);
        command(&world, redis::cmd("HGETALL").arg(key)).await
    };
    let before = [whole(&same).await, whole(&ahead).await, whole(&ours).await];
    assert!(before.iter().all(|hash| hash.len() > 60), "{before:?}");
    let set = async |one: &Practitioner, generation: &str, field: &str, value: &str| {
        let mut set = redis::cmd("HSET");
        set.arg(key_of(one, generation)).arg(field).arg(value);
        let _: i64 = command(&world, &mut set).await;
    };
    // Wrong at the version that the other has too; wrong in both; and another version than the other's.
    set(&same, "", "zone", "Europe/Lisbon").await;
    for generation in ["", beside.as_str()] {
        set(&ahead, generation, "v", "99").await;
    }
    set(&ours, "", "v", "99").await;
    let healed = audit(&operator, Method::POST).await;
    let who: BTreeSet<_> = healed.named.iter().map(|(who, _, _)| who.clone()).collect();
    let all = [&same, &ahead, &ours].map(|one| one.id.to_string());
    assert_eq!(who, BTreeSet::from(all));
    finds_nothing(&operator).await;
    let after = [whole(&same).await, whole(&ahead).await, whole(&ours).await];
    assert_eq!(after, before);
    works(
        &world,
        &operator,
        &["availability", "--from", "snapshot", "--resume"],
    )
    .await;
    for one in [&same, &ahead, &ours] {
        let (free, source) = one.free_slots(&alice).await;
        assert_eq!((&free, &source[..]), (&slots, "bitmap"));
    }
    world.settle().await;
}

#[tokio::test]
async fn what_was_begun_outlives_the_host_and_is_gone_on_with() {
    let mut world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let [one] = import(&world, ["One"]).await;
    let operator = world.api().operator().await;
    for what in REBUILT {
        begin(&operator, what).await;
    }
    world.host.kill().await;
    world.host.start_again().await;
    let operator = world.api().operator().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = one.free_slots(&alice).await;
    alice.book(one.id, &slots[0]).await.expect(201);
    world.settle().await;
    for what in REBUILT {
        assert_eq!(role(&state(&operator, what).await), "building");
        let said = fails(&world, &operator, &[what, "--from", "snapshot"]).await;
        assert!(said.contains("is being built already"), "{said}");
        works(&world, &operator, &[what, "--from", "snapshot", "--resume"]).await;
        assert_eq!(role(&state(&operator, what).await), "previous");
        let said = fails(&world, &operator, &[what, "--from", "snapshot", "--resume"]).await;
        assert!(said.contains("nothing is being built"), "{said}");
    }
    finds_nothing(&operator).await;
    free_are(&alice, &one, &slots[1..]).await;
    assert_eq!(one.next_slot_in_search(&alice).await.as_ref(), slots.get(1));
    world.host.kill().await;
    world.host.start_again().await;
    assert_eq!(one.next_slot_in_search(&alice).await.as_ref(), slots.get(1));
    world.settle().await;
}
