//! The drift audit: what is damaged is named, healed and gone; what is well is left alone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::Days;
use praxis_tests::directory::today;
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Api, Practitioner, Services, World, eventually};
use reqwest::Method;
use serde_json::Value;

use crate::flow::free_are;
use crate::operator;
use crate::refill::command;

mod documents;

const AUDITORS: [&str; 2] = ["availability", "search"];
/// Small, so that there are several.
const PAGE: usize = 2;

/// Who, in which store, what.
pub type Named = BTreeSet<(String, String, String)>;

/// What one audit has found.
#[derive(Debug, Default)]
pub struct Found {
    compared: u64,
    behind: u64,
    pub named: Named,
    healed: usize,
    all: Vec<Value>,
}

impl Found {
    fn nothing(&self) -> Result<(), String> {
        ensure(
            self.named.is_empty() && self.behind == 0,
            format!("{self:#?}"),
        )
    }
}

/// Looks at everything, page by page; `POST` heals.
pub async fn audit(operator: &Api, method: Method) -> Found {
    let mut found = Found::default();
    for auditor in AUDITORS {
        let mut path = format!("/v1/ops/audits/{auditor}?limit={PAGE}");
        loop {
            let answer = operator.send(method.clone(), &path, &[], None).await;
            let page = answer.expect(200).json();
            let sum = |counts: &Value| -> u64 {
                let counts = counts.as_object().unwrap().values();
                counts.map(|count| count.as_u64().unwrap()).sum()
            };
            found.compared += sum(&page["compared"]);
            found.behind += sum(&page["behind"]);
            for one in page["differences"].as_array().unwrap() {
                let text = |field: &str| one[field].as_str().unwrap().to_owned();
                let named = (text("practitioner_id"), text("store"), text("what"));
                found.named.insert(named);
                found.healed += usize::from(one["healed"] == true);
                found.all.push(one.clone());
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/v1/ops/audits/{auditor}?limit={PAGE}&after={cursor}");
        }
    }
    found
}

pub async fn finds_nothing(operator: &Api) {
    eventually(SOON, "the audit finds nothing", async || {
        audit(operator, Method::GET).await.nothing()
    })
    .await;
}

/// As if what was behind at the last look had been so for a while.
async fn time_passes(world: &World) {
    let pass = "update audit_behind set since = since - interval '5 minutes'";
    let passed = sqlx::query(pass).execute(&world.database).await.unwrap();
    assert!(passed.rows_affected() > 0, "nothing was behind");
}

fn named<'a>(all: impl IntoIterator<Item = (&'a Practitioner, &'a str, &'a str)>) -> Named {
    let all = all.into_iter();
    all.map(|(who, store, what)| (who.id.to_string(), store.to_owned(), what.to_owned()))
        .collect()
}

/// The hash of a practitioner's days.
fn key(practitioner: &Practitioner) -> String {
    format!("praxis:{{{}}}:days", practitioner.id)
}

async fn set(world: &World, practitioner: &Practitioner, field: &str, value: &str) {
    let key = key(practitioner);
    let _: i64 = command(world, redis::cmd("HSET").arg(key).arg(field).arg(value)).await;
}

pub async fn import<const N: usize>(world: &World, names: [&str; N]) -> [Practitioner; N] {
    let practitioners = names.map(Practitioner::in_berlin);
    world
        .import(&practitioners.iter().collect::<Vec<_>>())
        .await;
    world.settle().await;
    practitioners
}

#[tokio::test]
async fn every_damage_to_bitmap_and_next_slots_is_named_and_healed() {
    let world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let names = ["Bit", "Old", "Ahead", "Zone", "Slot", "Source", "Sound"];
    let all = import(&world, names).await;
    let [bit, old, ahead, zone, slot, source, _sound] = &all;
    let operator = world.api().operator().await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = bit.free_slots(&alice).await;
    let clean = audit(&operator, Method::GET).await;
    clean.nothing().unwrap();
    assert_eq!(clean.compared, 3 * all.len() as u64);

    // A bit that nobody has booked.
    let day = (today("Europe/Berlin") + Days::new(5)).to_string();
    let held: String = command(&world, redis::cmd("HGET").arg(key(bit)).arg(&day)).await;
    let (rest, booked) = held.rsplit_once(',').unwrap();
    let other = booked.parse::<u32>().unwrap() ^ 1 << 10;
    set(&world, bit, &day, &format!("{rest},{other}")).await;
    // What it was before a booking.
    let before: Vec<String> = command(&world, redis::cmd("HGETALL").arg(key(old))).await;
    alice.book(old.id, &slots[0]).await.expect(201);
    free_are(&alice, old, &slots[1..]).await;
    world.settle().await;
    let mut back = redis::cmd("HSET");
    back.arg(key(old)).arg(&before);
    let _: i64 = command(&world, &mut back).await;
    set(&world, ahead, "v", "99").await;
    set(&world, zone, "zone", "Europe/Lisbon").await;
    let wrong = "update next_slots
        set next_available_slot = next_available_slot + interval '1 hour'
        where practitioner_id = $1";
    let older = "update next_slots
        set source_version = source_version - 1
        where practitioner_id = $1";
    for (statement, who) in [(wrong, slot), (older, source)] {
        let update = sqlx::query(statement).bind(who.id);
        update.execute(&world.database).await.unwrap();
    }

    let at_once = named([
        (bit, "bitmap", &day[..]),
        (ahead, "bitmap", "version"),
        (zone, "bitmap", "zone"),
        (slot, "next-slot", "next slot"),
        // It says what the row should.
        (slot, "document", "next_available_slot"),
    ]);
    let found = audit(&operator, Method::GET).await;
    assert_eq!(found.named, at_once, "{found:#?}");
    assert_eq!(found.behind, 2, "{found:#?}");
    let of_bit = found.all.iter().find(|one| one["what"] == day).unwrap();
    assert_eq!(of_bit["expected"], held);
    assert_eq!(of_bit["found"], format!("{rest},{other}"));
    time_passes(&world).await;
    let in_time = named([
        (old, "bitmap", "version"),
        (source, "next-slot", "source version"),
    ]);
    let every: Named = at_once.union(&in_time).cloned().collect();
    let (is_content, said) = operator::command(&world, &operator, "audit", &[]).await;
    assert!(!is_content, "{said}");
    for (who, store, what) in &every {
        let line = format!("{who} {store}: {what}: expected ");
        assert!(said.contains(&line), "{line} is not in {said}");
    }
    assert!(said.contains(" 0 healed, 7 differ, 0 wait"), "{said}");
    // None of it was healed by looking. What the row makes of the document comes by an event.
    let found = audit(&operator, Method::POST).await;
    let of_all = |named: &Named| -> Named {
        let named = named.iter().filter(|(_, store, _)| store != "document");
        named.cloned().collect()
    };
    assert_eq!(of_all(&found.named), of_all(&every), "{found:#?}");
    assert_eq!(found.healed, found.all.len(), "{found:#?}");
    finds_nothing(&operator).await;
    let (is_content, said) = operator::command(&world, &operator, "audit", &["--heal"]).await;
    assert!(is_content, "{said}");
    assert!(said.contains(" 0 healed, 0 differ"), "{said}");
    for practitioner in [bit, ahead, zone, slot] {
        free_are(&alice, practitioner, &slots).await;
    }
    free_are(&alice, old, &slots[1..]).await;
    assert_eq!(
        slot.next_slot_in_search(&alice).await.as_ref(),
        slots.first()
    );
    world.settle().await;
}

#[tokio::test]
async fn the_slow_pass_heals_by_itself_and_counts() {
    let world = World::start(Services::Embedded).await;
    let [practitioner] = import(&world, ["Slow"]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    set(&world, &practitioner, "v", "99").await;
    eventually(SOON, "it is counted", async || {
        let metrics = alice.get("/metrics").await.expect(200).text;
        let count = |name: &str, component: &str| {
            let series = format!("component_{name}_total{{component=\"{component}\"}} ");
            let mut lines = metrics.lines();
            let found = lines.find_map(|line| line.strip_prefix(&series)?.parse::<u64>().ok());
            found.unwrap_or_default()
        };
        let counted = [
            count("audit_bitmap_compared", "availability"),
            count("audit_bitmap_differing", "availability"),
            count("audit_next_slot_compared", "availability"),
            count("audit_document_compared", "search"),
        ];
        ensure(
            counted.iter().all(|count| *count > 0),
            format!("{counted:?}"),
        )
    })
    .await;
    free_are(&alice, &practitioner, &slots).await;
    let version: String =
        command(&world, redis::cmd("HGET").arg(key(&practitioner)).arg("v")).await;
    assert_eq!(version, "1");
    world.settle().await;
}

#[tokio::test]
async fn a_system_that_is_well_has_no_differences_while_bookings_go_on() {
    none_under_load(Services::Embedded).await;
}

#[tokio::test]
async fn nor_has_one_on_kafka_and_a_search_server() {
    none_under_load(Services::Brokered).await;
}

async fn none_under_load(services: Services) {
    const ROUNDS: usize = 12;
    let world = World::start(services).await;
    let all = import(&world, ["One", "Two", "Three", "Four", "Five"]).await;
    let operator = world.api().operator().await;
    let clients = || all.iter().zip(["alice", "bob", "carol", "dora", "emil"]);
    // Holds that have run out, and are not marked yet. Before the first look: each lasts longer than a
    // look, so none is made and runs out under it.
    for (practitioner, name) in clients() {
        let patient = world.api().patient(name).await;
        let (slots, _) = practitioner.free_slots(&patient).await;
        let wish = serde_json::json!({
            "practitioner_id": practitioner.id,
            "slot_start": slots.last(),
        });
        let hold = patient.post("/v1/holds", &wish).await.expect(201);
        let hold = hold.text_of("booking_id");
        let age = "update bookings
            set created_at = created_at - interval '1 hour',
                hold_expires_at = hold_expires_at - interval '1 hour'
            where id = $1::text::uuid";
        let aged = sqlx::query(age).bind(hold).execute(&world.database).await;
        assert_eq!(aged.unwrap().rows_affected(), 1);
    }
    let done = AtomicBool::new(false);
    let load = async {
        let clients = clients().map(async |(practitioner, name)| {
            let patient = world.api().patient(name).await;
            let (slots, _) = practitioner.free_slots(&patient).await;
            for round in 0..ROUNDS {
                let slot = &slots[round % 4];
                let booked = patient.book(practitioner.id, slot).await.expect(201);
                practitioner.free_slots(&patient).await;
                let (id, etag) = (booked.text_of("booking_id"), booked.header("etag"));
                let moved = patient
                    .reschedule(&id, etag, &slots[round % 4 + 4])
                    .await
                    .expect(201);
                let (id, etag) = (moved.text_of("booking_id"), moved.header("etag"));
                patient.cancel(&id, etag).await.expect(200);
            }
        });
        futures::future::join_all(clients).await;
        done.store(true, Ordering::Relaxed);
    };
    let look = async {
        let mut compared = 0;
        let mut is_last = false;
        while !is_last {
            is_last = done.load(Ordering::Relaxed);
            let found = audit(&operator, Method::POST).await;
            assert!(found.named.is_empty(), "{found:#?}");
            compared += found.compared;
        }
        compared
    };
    let ((), compared) = tokio::join!(load, look);
    assert!(compared >= 3 * all.len() as u64, "{compared}");
    world.settle().await;
    finds_nothing(&operator).await;
    let (is_content, said) = operator::command(&world, &operator, "audit", &[]).await;
    assert!(is_content, "{said}");
    world.settle().await;
}

#[tokio::test]
async fn only_operators_audit_and_what_is_wrong_with_a_question_is_said() {
    let world = World::start(Services::Embedded).await;
    let operator = world.api().operator().await;
    for auditor in AUDITORS {
        let path = format!("/v1/ops/audits/{auditor}");
        for (api, status) in [
            (world.api(), 401),
            (world.api().patient("alice").await, 404),
            (world.api().staff("clinic").await, 404),
        ] {
            for method in [Method::GET, Method::POST] {
                let answer = api.send(method, &path, &[], None).await;
                answer.expect(status).check_problem();
            }
        }
        let deleted = operator.send(Method::DELETE, &path, &[], None).await;
        assert_eq!(deleted.expect(405).header("allow"), "GET, POST");
        for query in [
            "limit=0",
            "limit=201",
            "limit=x",
            "after=",
            "after=%00",
            "heal=true",
        ] {
            let refused = operator.get(&format!("{path}?{query}")).await;
            let refused = refused.expect_problem(400, "bad-request");
            let (name, _) = query.split_once('=').unwrap();
            assert!(refused.text.contains(&format!("/query/{name}")), "{query}");
        }
        // There is nobody yet.
        let empty = operator.get(&path).await.expect(200).json();
        assert_eq!(empty["next_cursor"], Value::Null);
        assert_eq!(empty["differences"], serde_json::json!([]));
    }
    let refused = operator.get("/v1/ops/audits/availability?after=x").await;
    assert!(refused.expect(400).text.contains("/query/after"));
}
