//! Tenants' components: what is kept, what is refused, and what they can see.

use praxis_host::capabilities::template::{Channel, Error, Template};

use crate::place::{OWNER, Place, database, rendering, request};

#[tokio::test]
async fn a_component_says_what_it_makes_of_its_request_in_a_fresh_instance_each_time() {
    let place = Place::on(&database().await);
    let template = place.keep(rendering()).await;
    for _ in 0..3 {
        let request = request(Channel::Email, "calls", "{}");
        let said = place.render(&template, &request).await.unwrap();
        assert_eq!(said.text, "1");
    }
    let said = place
        .render(&template, &request(Channel::Email, "plain", "{\"a\":1}"))
        .await;
    let said = said.unwrap();
    assert_eq!(said.subject.as_deref(), Some("Hello"));
    assert_eq!(said.text, "de-AT: {\"a\":1}");
    assert!(said.html.is_some());
}

#[tokio::test]
async fn a_component_sees_nothing_outside_and_its_clock_stands_still() {
    let place = Place::on(&database().await);
    let template = place.keep(rendering()).await;
    let said = place
        .render(&template, &request(Channel::Sms, "world", "{}"))
        .await;
    assert_eq!(said.unwrap().text, "0 0 false false 0");
}

#[tokio::test]
async fn keeping_the_same_again_changes_nothing() {
    let pool = database().await;
    let place = Place::on(&pool);
    let first = place.sandbox.keep(OWNER, rendering()).await.unwrap();
    let again = place.sandbox.keep("another", rendering()).await.unwrap();
    assert_eq!(first, again);
    let kept: Vec<(String, String)> =
        sqlx::query_as("select sha256, owner from template_components")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(kept, [(first, OWNER.to_owned())]);
}

#[tokio::test]
async fn what_is_no_renderer_is_refused_with_the_reason() {
    let place = Place::on(&database().await);
    let component = |text: &str| wat::parse_str(text).unwrap();
    let importing = |name: &str| {
        component(&format!(
            "(component (import \"{name}\" (instance (export \"x\" (func)))))"
        ))
    };
    for (wasm, why) in [
        (Vec::new(), "it is empty"),
        (b"#!/bin/sh".to_vec(), "it is not WebAssembly"),
        (
            component("(module)"),
            "it is a core module, not a component",
        ),
        (
            component("(component)"),
            "it does not export praxis:template/renderer",
        ),
        (
            importing("wasi:sockets/tcp@0.2.6"),
            "it imports wasi:sockets/tcp@0.2.6",
        ),
        (
            importing("wasi:http/outgoing-handler@0.2.6"),
            "it imports wasi:http",
        ),
        (
            importing("praxis:template/sandbox@0.1.0"),
            "it imports praxis:template/sandbox",
        ),
        (
            importing("spin:postgres/postgres@4.2.0"),
            "it imports spin:postgres",
        ),
        (
            importing("wasi:cli/everything@0.2.6"),
            "it cannot be linked",
        ),
        (
            std::fs::read(crate::place::built("jinja-renderer")).unwrap(),
            "it does not export",
        ),
        (vec![0; (4 << 20) + 1], "it has more than 4194304 bytes"),
        (rendering()[..1_000].to_vec(), "it cannot be compiled"),
    ] {
        match place.sandbox.keep(OWNER, wasm).await {
            Err(Error::Refused(said)) => assert!(said.contains(why), "{said:?}, not {why:?}"),
            other => panic!("{other:?}, not {why:?}"),
        }
    }
}

#[tokio::test]
async fn what_nobody_kept_is_unknown() {
    let place = Place::on(&database().await);
    for digest in ["", "x", &"0".repeat(64), &"A".repeat(64)] {
        let template = Template::Component(digest.to_string());
        let said = place
            .render(&template, &request(Channel::Sms, "plain", "{}"))
            .await;
        assert!(matches!(said, Err(Error::Unknown)), "{digest}: {said:?}");
    }
}

#[tokio::test]
async fn an_owner_keeps_so_many_and_no_more() {
    let pool = database().await;
    let place = Place::on(&pool);
    sqlx::query(
        "insert into template_components (sha256, owner, wasm)
        select encode(sha256(n::text::bytea), 'hex'), $1, ''
        from generate_series(1, 256) as n",
    )
    .bind(OWNER)
    .execute(&pool)
    .await
    .unwrap();
    let refused = place.sandbox.keep(OWNER, rendering()).await;
    assert!(
        matches!(&refused, Err(Error::Refused(why)) if why.contains("256 components")),
        "{refused:?}"
    );
    place.sandbox.keep("another", rendering()).await.unwrap();
}

#[tokio::test]
async fn what_was_changed_in_the_table_is_not_run() {
    let pool = database().await;
    let place = Place::on(&pool);
    let digest = "0".repeat(64);
    sqlx::query("insert into template_components (sha256, owner, wasm) values ($1, $2, $3)")
        .bind(&digest)
        .bind(OWNER)
        .bind(rendering())
        .execute(&pool)
        .await
        .unwrap();
    let template = Template::Component(digest);
    let said = place
        .render(&template, &request(Channel::Sms, "plain", "{}"))
        .await;
    assert!(
        matches!(&said, Err(Error::Refused(why)) if why.contains("digest")),
        "{said:?}"
    );
}

#[tokio::test]
async fn without_a_database_nothing_is_kept() {
    let place = Place::of_texts();
    let refused = place.sandbox.keep(OWNER, rendering()).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}
