//! Damage to the documents of the search.

use std::io::Write as _;

use praxis_tests::directory::fresh_id;
use praxis_tests::{Practitioner, Services, World, api};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{audit, finds_nothing, import, named, time_passes};

const HOUR_MS: i64 = 3_600_000;

/// The documents themselves, where the server has them.
struct Documents {
    client: reqwest::Client,
    url: String,
}

impl Documents {
    fn of(world: &World) -> Self {
        let gate = world.index_gate.as_ref().unwrap();
        Self {
            client: api::http_client(),
            url: format!("{}/practitioners/_doc", gate.url()),
        }
    }

    async fn send(&self, method: Method, id: Uuid, body: Option<&Value>) -> Value {
        let url = format!("{}/{id}?refresh=true", self.url);
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    async fn get(&self, id: Uuid) -> Value {
        self.send(Method::GET, id, None).await["_source"].clone()
    }

    async fn damage(&self, of: &Practitioner, by: impl FnOnce(&mut Value)) {
        let mut document = self.get(of.id).await;
        by(&mut document);
        self.send(Method::PUT, of.id, Some(&document)).await;
    }
}

#[tokio::test]
async fn every_damage_to_a_document_is_named_and_healed() {
    let world = World::start(Services::Brokered).await;
    world.without_the_slow_audit().await;
    let names = ["Slot", "Name", "Missing", "Older", "Ahead", "Sound"];
    let all = import(&world, names).await;
    let [slot, name, missing, older, ahead, _sound] = &all;
    let operator = world.api().operator().await;
    finds_nothing(&operator).await;
    let documents = Documents::of(&world);
    let sound = documents.get(slot.id).await;

    documents
        .damage(slot, |document| {
            let next = document["next_available_slot"].as_i64().unwrap();
            document["next_available_slot"] = json!(next + HOUR_MS);
        })
        .await;
    documents
        .damage(name, |document| document["name"] = json!("Dr. Nobody"))
        .await;
    documents.send(Method::DELETE, missing.id, None).await;
    documents
        .damage(older, |document| {
            document["praxis_versions"]["profile"] = json!(0);
            document["rating"] = json!(1.0);
        })
        .await;
    documents
        .damage(ahead, |document| {
            document["praxis_versions"]["availability"] = json!(99);
        })
        .await;
    // Of somebody who is not there.
    let nobody = Practitioner {
        id: fresh_id(),
        ..slot.clone()
    };
    let mut nobodys = sound.clone();
    nobodys["praxis_id"] = json!(nobody.id);
    documents.send(Method::PUT, nobody.id, Some(&nobodys)).await;
    assert!(nobody.next_slot_in_search(&operator).await.is_some());

    let at_once = named([
        (slot, "document", "next_available_slot"),
        (name, "document", "name"),
        (ahead, "document", "next slot's version"),
        (&nobody, "document", "document"),
    ]);
    let found = audit(&operator, Method::GET).await;
    assert_eq!(found.named, at_once, "{found:#?}");
    assert_eq!(found.behind, 2, "{found:#?}");
    time_passes(&world).await;
    let in_time = named([
        (missing, "document", "document"),
        (older, "document", "profile version"),
    ]);
    let every = at_once.union(&in_time).cloned().collect();
    let found = audit(&operator, Method::POST).await;
    assert_eq!(found.named, every, "{found:#?}");
    assert_eq!(found.healed, every.len(), "{found:#?}");
    finds_nothing(&operator).await;
    assert_eq!(documents.get(slot.id).await, sound);
    assert_eq!(nobody.next_slot_in_search(&operator).await, None);
    for practitioner in &all {
        let (free, _) = practitioner.free_slots(&operator).await;
        let next = practitioner.next_slot_in_search(&operator).await;
        assert_eq!(next.as_ref(), free.first(), "{}", practitioner.name);
    }
    // Events go on from there.
    let alice = world.api().patient("alice").await;
    let (slots, _) = ahead.free_slots(&alice).await;
    alice.book(ahead.id, &slots[0]).await.expect(201);
    world.settle().await;
    let next = ahead.next_slot_in_search(&alice).await;
    assert_eq!(next.as_ref(), slots.get(1));
    finds_nothing(&operator).await;
}

#[tokio::test]
async fn what_is_wrong_in_the_embedded_index_is_healed_for_good() {
    let mut world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let all = import(&world, ["Lost", "Wrong", "Sound"]).await;
    let [lost, wrong, _sound] = &all;
    let nobody = Practitioner {
        id: fresh_id(),
        ..lost.clone()
    };
    // It has all in memory, and this file to make it of.
    let journal = world
        .mail_folder()
        .with_file_name("index")
        .join("practitioners.jsonl");
    world.host.kill().await;
    let of_nobody = json!({ "document": {
        "id": nobody.id,
        "versions": [["profile", 1]],
        "fields": [{ "name": "name", "value": { "Text": "Dr. Nobody" } }],
    } });
    let of_wrong = json!({ "document": {
        "id": wrong.id,
        "versions": [["profile", 1], ["availability", 1]],
        "fields": [{ "name": "name", "value": { "Text": "Dr. Wrong" } }],
    } });
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&journal)
        .unwrap();
    for line in [json!({ "removed": lost.id }), of_nobody, of_wrong] {
        writeln!(file, "{line}").unwrap();
    }
    drop(file);
    world.host.start_again().await;

    let operator = world.api().operator().await;
    let found = audit(&operator, Method::GET).await;
    assert_eq!(found.behind, 1, "{found:#?}");
    time_passes(&world).await;
    let found = audit(&operator, Method::POST).await;
    let who: Vec<_> = found.named.iter().map(|(who, _, _)| who.clone()).collect();
    for practitioner in [lost, wrong, &nobody] {
        assert!(who.contains(&practitioner.id.to_string()), "{found:#?}");
    }
    // Of the wrong one, every field but the name and what it has none of.
    assert_eq!(found.healed, found.all.len(), "{found:#?}");
    finds_nothing(&operator).await;
    world.host.kill().await;
    world.host.start_again().await;
    let operator = world.api().operator().await;
    finds_nothing(&operator).await;
    for practitioner in &all {
        let (free, _) = practitioner.free_slots(&operator).await;
        let next = practitioner.next_slot_in_search(&operator).await;
        assert_eq!(next.as_ref(), free.first(), "{}", practitioner.name);
    }
    world.settle().await;
}
