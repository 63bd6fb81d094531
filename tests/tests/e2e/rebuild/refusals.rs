//! What is not switched, and what is not even asked.

use praxis_tests::api::http_client;
use praxis_tests::{Services, World};
use reqwest::Method;
use serde_json::{Value, json};

use super::{REBUILT, begin, fails, key, load, role, state, works};
use crate::audit::import;
use crate::refill::command;

#[tokio::test]
async fn a_bitmap_that_is_not_as_the_database_is_not_switched_to() {
    let world = World::start(Services::Embedded).await;
    world.without_the_slow_audit().await;
    let [one, two] = import(&world, ["One", "Two"]).await;
    let operator = world.api().operator().await;
    let before = one.free_slots(&operator).await;
    let built = begin(&operator, "availability").await;
    load(&operator, "availability", built).await;
    // Of a version that is still to come: nobody loads anything older.
    let built_key = format!("praxis:{{{}}}:days:{built}", one.id);
    let mut damage = redis::cmd("HSET");
    let _: i64 = command(&world, damage.arg(&built_key).arg("v").arg("99")).await;
    let anew = ["availability", "--from", "snapshot", "--resume"];
    let said = fails(&world, &operator, &anew).await;
    let line = format!("{} bitmap: version: expected 1, found 99", one.id);
    for part in [
        &line[..],
        "1 practitioners are not as in the database",
        "is kept for a look",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains(&two.id.to_string()), "{said}");
    let kept = state(&operator, "availability").await;
    assert_eq!((role(&kept), &kept["current"]), ("building", &json!(1)));
    assert_eq!(one.free_slots(&operator).await, before);
    let dropped = [&anew[..], &["--drop-if-different"]].concat();
    let said = fails(&world, &operator, &dropped).await;
    assert!(said.contains("it is gone"), "{said}");
    assert_eq!(role(&state(&operator, "availability").await), "none");
    let left: Vec<String> = command(&world, redis::cmd("KEYS").arg("*:days:*")).await;
    assert!(left.is_empty(), "{left:?}");
    works(&world, &operator, &["availability", "--from", "snapshot"]).await;
    let built_key = key(&operator, &one).await;
    let version: String = command(&world, redis::cmd("HGET").arg(built_key).arg("v")).await;
    assert_eq!(version, "1");
    world.settle().await;
}

#[tokio::test]
async fn nor_is_an_index() {
    let world = World::start(Services::Brokered).await;
    world.without_the_slow_audit().await;
    let [one, two] = import(&world, ["One", "Two"]).await;
    let operator = world.api().operator().await;
    let built = begin(&operator, "search").await;
    load(&operator, "search", built).await;
    let gate = world.index_gate.as_ref().unwrap();
    let url = format!("{}/practitioners-g{built}/_doc/{}", gate.url(), one.id);
    let answer = http_client().get(&url).send().await.unwrap();
    let mut document = answer.json::<Value>().await.unwrap()["_source"].clone();
    document["praxis_versions"]["profile"] = json!(99);
    let put = http_client().put(format!("{url}?refresh=true"));
    let put = put.json(&document).send().await.unwrap();
    put.error_for_status().unwrap();
    let anew = ["search", "--from", "snapshot", "--resume"];
    let said = fails(&world, &operator, &anew).await;
    let line = format!("{} document: profile version: expected 1, found 99", one.id);
    assert!(said.contains(&line), "{said}");
    assert!(!said.contains(&two.id.to_string()), "{said}");
    assert_eq!(role(&state(&operator, "search").await), "building");
    assert!(one.next_slot_in_search(&operator).await.is_some());
    works(&world, &operator, &["search", "--drop"]).await;
    let gone = http_client().get(&url).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 404);
    works(&world, &operator, &["search", "--from", "snapshot"]).await;
    world.settle().await;
}

#[tokio::test]
async fn only_operators_rebuild_and_what_is_wrong_with_a_request_is_said() {
    let world = World::start(Services::Embedded).await;
    let operator = world.api().operator().await;
    let send = async |method: Method, path: &str| operator.send(method, path, &[], None).await;
    for what in REBUILT {
        let base = format!("/v1/ops/rebuilds/{what}");
        let all = [
            (Method::GET, ""),
            (Method::POST, ""),
            (Method::DELETE, "?generation=2"),
            (Method::GET, "/pages"),
            (Method::POST, "/load?generation=2"),
            (Method::GET, "/compare?generation=2"),
            (Method::POST, "/switch?generation=2"),
        ];
        for (api, status) in [
            (world.api(), 401),
            (world.api().patient("alice").await, 404),
            (world.api().staff("clinic").await, 404),
        ] {
            for (method, rest) in &all {
                let path = format!("{base}{rest}");
                let answer = api.send(method.clone(), &path, &[], None).await;
                answer.expect(status).check_problem();
            }
        }
        for (method, rest, allowed) in [
            (Method::PUT, "", "GET, POST, DELETE"),
            (Method::POST, "/pages", "GET"),
            (Method::GET, "/load", "POST"),
            (Method::POST, "/compare", "GET"),
            (Method::GET, "/switch", "POST"),
        ] {
            let answer = send(method, &format!("{base}{rest}")).await;
            assert_eq!(answer.expect(405).header("allow"), allowed, "{rest}");
        }
        for rest in ["/nothing", "/load/1"] {
            send(Method::GET, &format!("{base}{rest}"))
                .await
                .expect(404);
        }
        for (method, rest, names) in [
            (Method::POST, "/load", "generation"),
            (Method::POST, "/load?generation=x", "generation"),
            (Method::POST, "/load?generation=-1", "generation"),
            (Method::POST, "/load?generation=2&after=", "after"),
            (Method::POST, "/load?generation=2&until=%00", "until"),
            (Method::POST, "/load?generation=2&limit=5", "limit"),
            (Method::GET, "/compare?generation=2&after=%0a", "after"),
            (Method::GET, "/pages?limit=5", "limit"),
            (Method::POST, "/switch", "generation"),
            (Method::POST, "/switch?generation=2&force=1", "force"),
            (Method::DELETE, "", "generation"),
            (Method::DELETE, "?generation=2&until=x", "until"),
            (Method::GET, "?x=1", "x"),
            (Method::POST, "?from=log", "from"),
        ] {
            let refused = send(method, &format!("{base}{rest}")).await;
            let refused = refused.expect_problem(400, "bad-request");
            assert!(refused.text.contains(&format!("/query/{names}")), "{rest}");
        }
        // Nothing stands beside the one that answers.
        for (method, rest) in [
            (Method::POST, "/load?generation=2"),
            (Method::GET, "/compare?generation=2"),
            (Method::POST, "/switch?generation=2"),
            (Method::POST, "/switch?generation=1"),
            (Method::DELETE, "?generation=2"),
            (Method::DELETE, "?generation=1"),
        ] {
            let refused = send(method, &format!("{base}{rest}")).await;
            let refused = refused.expect_problem(409, "other-generation");
            assert!(refused.text.contains("generation 1 answers"), "{rest}");
        }
        let built = begin(&operator, what).await;
        let again = send(Method::POST, &base).await;
        let again = again.expect_problem(409, "other-generation");
        assert!(again.text.contains("is being built"), "{}", again.text);
        // Never into the one that answers.
        let current = send(Method::POST, &format!("{base}/load?generation=1")).await;
        current.expect_problem(409, "other-generation");
        let empty = send(Method::GET, &format!("{base}/pages"))
            .await
            .expect(200);
        assert_eq!(empty.json(), json!({ "total": 0, "ends": [] }));
        load(&operator, what, built).await;
        let gone = send(Method::DELETE, &format!("{base}?generation={built}")).await;
        gone.expect(200);
        assert_eq!(role(&state(&operator, what).await), "none");
    }
    for path in ["/v1/ops/rebuilds/booking", "/v1/ops/rebuilds"] {
        send(Method::GET, path).await.expect(404);
    }
    let path = "/v1/ops/rebuilds/availability/compare?generation=1&after=x";
    let refused = send(Method::GET, path)
        .await
        .expect_problem(400, "bad-request");
    assert!(refused.text.contains("/query/after"), "{}", refused.text);
    // One thing at a time, and how often and by whom it is asked has its limits.
    for arguments in [
        &["search"][..],
        &["search", "--from", "snapshot", "--rollback"],
        &["search", "--rollback", "--resume"],
        &["bookings", "--from", "snapshot"],
        &["search", "--from", "nowhere"],
        &["search", "--from", "snapshot", "--in-flight", "0"],
    ] {
        let told = std::process::Command::new(praxis_tests::place::praxis())
            .arg("rebuild")
            .args(arguments)
            .args(["--token", "x"])
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(2), "{arguments:?}: {told:?}");
    }
    let unknown = ["search", "--from", "snapshot", "--group", "nobody"];
    let said = fails(&world, &operator, &unknown).await;
    assert!(said.contains("no consumer group nobody"), "{said}");
}
