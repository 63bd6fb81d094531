//! How many connections there are, whose they are, and what becomes of one.

use std::time::{Duration, Instant};

use futures::future::join_all;
use praxis_host::capabilities::postgres::{Error, Limits, ParameterValue as P, Pools};

use crate::on_postgres::{one, open, run, session, shared};
use crate::postgres;

#[tokio::test]
async fn results_that_nobody_reads_do_not_use_up_the_pool() {
    let session = session().await;
    for _ in 0..40 {
        let answer = session
            .query("select n from generate_series(1, 100000) n", &[])
            .await;
        drop(answer.unwrap());
    }
    assert_eq!(one(&session, "select 1", &[]).await, "Int32(1)");
}

#[tokio::test]
async fn an_interrupted_statement_takes_its_connection_with_it() {
    let pools = Pools::default();
    let url = shared().await;
    let guest = open(&pools, url);
    let soon = Duration::from_millis(50);
    let interrupted = tokio::time::timeout(soon, guest.execute("select pg_sleep(3)", &[])).await;
    assert!(interrupted.is_err());
    assert_eq!(one(&guest, "select 7", &[]).await, "Int32(7)");

    // Inside a transaction the guest is told that it is gone.
    run(&guest, "begin").await;
    let interrupted = tokio::time::timeout(soon, guest.execute("select pg_sleep(3)", &[])).await;
    assert!(interrupted.is_err());
    let told = guest.execute("select 1", &[]).await;
    assert!(matches!(told, Err(Error::Connection(_))), "{told:?}");
    assert!(guest.execute("commit", &[]).await.is_err());
    run(&guest, "begin").await;
    run(&guest, "commit").await;
}

#[tokio::test]
async fn many_statements_run_at_once_on_one_guest_connection() {
    let session = session().await;
    let all = join_all((0..200).map(|n| {
        let session = session.clone();
        async move { one(&session, "select $1::int4", &[P::Int32(n)]).await }
    }));
    for (n, answer) in all.await.into_iter().enumerate() {
        assert_eq!(answer, format!("Int32({n})"));
    }
}

#[tokio::test]
async fn waiting_for_a_connection_has_an_end() {
    let pools = Pools::default();
    let url = shared().await;
    let mut guests = Vec::new();
    for _ in 0..16 {
        let guest = open(&pools, url);
        run(&guest, "begin").await;
        guests.push(guest);
    }
    let late = open(&pools, url);
    let started = Instant::now();
    let answer = late.execute("select 1", &[]).await;
    assert!(matches!(answer, Err(Error::Connection(_))), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
    drop(guests);
    run(&late, "select 1").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_at_once_and_one_that_is_back_is_found() {
    let (mut server, _folder) = postgres::start().await;
    let pools = Pools::default();
    let session = open(&pools, &server.url());
    let transaction = open(&pools, &server.url());
    run(&session, "create table kept (a int)").await;
    run(&transaction, "begin").await;
    drop(session);
    let session = open(&pools, &server.url());
    run(&session, "insert into kept values (1)").await;

    server.stop().await.unwrap();
    let started = Instant::now();
    for _ in 0..5 {
        let answer = session.execute("insert into kept values (2)", &[]).await;
        assert!(matches!(answer, Err(Error::Connection(_))), "{answer:?}");
    }
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    server.start_again().await.unwrap();
    run(&session, "insert into kept values (3)").await;
    assert_eq!(
        one(&session, "select sum(a) from kept", &[]).await,
        "Int64(4)"
    );
    let lost = transaction
        .execute("insert into kept values (4)", &[])
        .await;
    assert!(matches!(lost, Err(Error::Connection(_))), "{lost:?}");
    assert!(transaction.execute("commit", &[]).await.is_err());
}

#[tokio::test]
async fn a_restart_between_two_statements_goes_unnoticed() {
    let (mut server, _folder) = postgres::start().await;
    let session = open(&Pools::default(), &server.url());
    let all = join_all((0..8).map(|_| session.query_all("select pg_sleep(0.05)", &[])));
    assert!(all.await.into_iter().all(|answer| answer.is_ok()));
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    // Idle for long enough to be asked first; a fixed delay, since it is the condition itself.
    tokio::time::sleep(Duration::from_millis(600)).await;
    let all = join_all((0..8).map(|_| session.query_all("select 1", &[])));
    for answer in all.await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_is_asked_for_where_one_was_given() {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let session = Pools::default()
        .open("test", Limits::default(), shared().await, Some(certificate))
        .unwrap();
    // The server has no TLS, and must not be spoken to without.
    let answer = session.execute("select 1", &[]).await;
    assert!(matches!(answer, Err(Error::Connection(_))), "{answer:?}");
}

#[tokio::test]
async fn a_component_uses_so_many_addresses_and_leaves_others_theirs() {
    let pools = Pools::default();
    let address = |n: usize| format!("postgres://u@127.0.0.1:{n}/d");
    let mut held = Vec::new();
    let refused = loop {
        match pools.open("a", Limits::default(), &address(held.len() + 1), None) {
            Ok(session) => held.push(session),
            Err(error) => break error,
        }
        assert!(held.len() < 20);
    };
    assert!(matches!(refused, Error::Connection(_)), "{refused:?}");
    assert!(
        pools
            .open("a", Limits::default(), &address(1), None)
            .is_ok()
    );
    assert!(
        pools
            .open("b", Limits::default(), &address(100), None)
            .is_ok()
    );
    // What is not held any more makes room.
    held.pop();
    assert!(
        pools
            .open("a", Limits::default(), &address(200), None)
            .is_ok()
    );
}

/// Shorter than a statement waits for a connection, longer than a busy machine takes to open one.
const NONE_COMES_FREE: Duration = Duration::from_millis(1_500);

/// Whoever holds all it can get, and however many do, leaves a component its own.
#[tokio::test]
async fn a_component_that_holds_its_connections_leaves_others_theirs() {
    let pools = Pools::default();
    let url = shared().await;
    let mut held = Vec::new();
    for villain in ["one", "two", "three"] {
        loop {
            let session = pools.open(villain, Limits::default(), url, None);
            let session = session.unwrap();
            let began = session.execute("begin", &[]);
            match tokio::time::timeout(NONE_COMES_FREE, began).await {
                Ok(began) => began.unwrap(),
                Err(_) => break,
            };
            held.push(session);
            assert!(held.len() < 100);
        }
    }
    // Four of each one's own, and twelve of everybody's.
    assert_eq!(held.len(), 3 * 4 + 12);

    let healthy = pools.open("healthy", Limits::default(), url, None);
    let healthy = healthy.unwrap();
    let all = join_all((0..40).map(|_| healthy.query_all("select 1", &[])));
    assert!(all.await.into_iter().all(|answer| answer.is_ok()));

    // A villain waits for its own kind, and is told.
    let refused = pools.open("one", Limits::default(), url, None);
    let refused = refused.unwrap().execute("select 1", &[]).await;
    assert!(matches!(refused, Err(Error::Connection(_))), "{refused:?}");
    // What one gives back, another of its kind gets.
    held.remove(0);
    let next = pools.open("one", Limits::default(), url, None);
    next.unwrap().execute("begin", &[]).await.unwrap();
}

#[tokio::test]
async fn a_component_has_as_many_connections_as_its_manifest_says() {
    let pools = Pools::default();
    let url = shared().await;
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let open = || pools.open("test", limits, url, None).unwrap();
    let sessions = [open(), open()];
    for session in &sessions {
        session.execute("begin", &[]).await.unwrap();
    }
    assert!(open().execute("begin", &[]).await.is_err());
}
