//! `spin:postgres` against a real server, without a guest.

use std::time::{Duration, Instant};

use praxis_host::capabilities::postgres::{
    BATCH_ROWS_MAX, Error, Limits, ParameterValue as P, Pools, Row, Rows, Session,
};
use tokio::sync::OnceCell;

use crate::postgres;

/// The address of the database that these tests share.
pub async fn shared() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(async || postgres::database(postgres::shared().await).await)
        .await
}

pub fn open(pools: &Pools, url: &str) -> Session {
    pools.open("test", Limits::default(), url, None).unwrap()
}

pub async fn session() -> Session {
    open(&Pools::default(), shared().await)
}

pub async fn rows(session: &Session, sql: &str, values: &[P]) -> Vec<Row> {
    let answer = session.query_all(sql, values).await;
    answer.unwrap_or_else(|error| panic!("{sql}: {error}")).1
}

pub async fn one(session: &Session, sql: &str, values: &[P]) -> String {
    let rows = rows(session, sql, values).await;
    plain(&rows[0][0])
}

/// How a value looks, without the name of its type.
pub fn plain(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").replace("DbValue::", "")
}

pub async fn run(session: &Session, sql: &str) -> u64 {
    let changed = session.execute(sql, &[]).await;
    changed.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub fn text(value: &str) -> P {
    P::Str(value.to_owned())
}

#[tokio::test]
async fn a_refused_statement_names_its_constraint() {
    let session = session().await;
    run(
        &session,
        "create table once (a int constraint only_once unique)",
    )
    .await;
    run(&session, "insert into once values (1)").await;
    let error = session.execute("insert into once values (1)", &[]).await;
    let Err(Error::Statement(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (error.code.as_str(), error.severity.as_str()),
        ("23505", "ERROR")
    );
    for (name, value) in [
        ("constraint_name", "only_once"),
        ("constraint", "only_once"),
        ("table_name", "once"),
        ("schema_name", "public"),
    ] {
        let pair = (name.to_owned(), value.to_owned());
        assert!(error.extras.contains(&pair), "{:?}", error.extras);
    }
    assert!(
        error
            .detail
            .is_some_and(|detail| detail.contains("(a)=(1)"))
    );
}

#[tokio::test]
async fn a_long_result_comes_in_batches_and_is_whole() {
    let session = session().await;
    let count = BATCH_ROWS_MAX * 5 + 1;
    let sql = format!("select n from generate_series(1, {count}) n");
    let answer = session.query(&sql, &[]).await.unwrap();
    assert!(matches!(answer.rows, Rows::First { .. }));
    assert_eq!(rows(&session, &sql, &[]).await.len(), count);

    let exact = format!("select n from generate_series(1, {BATCH_ROWS_MAX}) n");
    assert_eq!(rows(&session, &exact, &[]).await.len(), BATCH_ROWS_MAX);
}

#[tokio::test]
async fn a_result_in_one_piece_has_so_many_rows_and_bytes() {
    let session = session().await;
    let many = Limits::default().result_rows_max + BATCH_ROWS_MAX;
    let many = format!("select n from generate_series(1, {many}) n");
    let piece = 1 << 20;
    let large = Limits::default().result_bytes_max / piece + 1;
    let large = format!("select repeat('x', {piece}) from generate_series(1, {large}) n");
    for sql in [many, large] {
        let Err(Error::Usage(reason)) = session.query_all(&sql, &[]).await else {
            panic!("{sql} was collected");
        };
        assert!(reason.contains("read it as a stream"), "{reason}");
    }
    assert_eq!(one(&session, "select 1", &[]).await, "Int32(1)");
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_long_result_ends_it() {
    let session = session().await;
    let sql = "select 1 / (5000 - n) from generate_series(1, 6000) n";
    let error = session.query_all(sql, &[]).await;
    assert!(matches!(error, Err(Error::Statement(error)) if error.code == "22012"));
    assert_eq!(one(&session, "select 1", &[]).await, "Int32(1)");
}

#[tokio::test]
async fn a_transaction_that_is_dropped_is_rolled_back() {
    let pools = Pools::default();
    let url = shared().await;
    let session = open(&pools, url);
    run(&session, "create table dropped (a int)").await;
    for begin in [
        "begin",
        "/* x */ START TRANSACTION",
        "-- x\nbegin isolation level serializable",
    ] {
        let guest = open(&pools, url);
        run(&guest, begin).await;
        run(&guest, "insert into dropped values (1)").await;
        assert_eq!(
            one(&guest, "select count(*) from dropped", &[]).await,
            "Int64(1)"
        );
        drop(guest);
        assert_eq!(
            one(&session, "select count(*) from dropped", &[]).await,
            "Int64(0)"
        );
    }
}

#[tokio::test]
async fn a_transaction_ends_where_the_server_says_so() {
    let pools = Pools::default();
    let url = shared().await;
    let guest = open(&pools, url);
    run(&guest, "create table ended (a int)").await;
    let outside = open(&pools, url);
    let seen = async || one(&outside, "select count(*) from ended", &[]).await;

    run(&guest, "begin").await;
    run(&guest, "insert into ended values (1)").await;
    assert_eq!(seen().await, "Int64(0)");
    run(&guest, "savepoint a").await;
    run(&guest, "insert into ended values (2)").await;
    run(&guest, "rollback to savepoint a").await;
    run(&guest, "release savepoint a").await;
    run(&guest, "commit and chain").await;
    assert_eq!(seen().await, "Int64(1)");
    run(&guest, "insert into ended values (3)").await;
    assert_eq!(seen().await, "Int64(1)");
    run(&guest, "rollback").await;
    assert_eq!(seen().await, "Int64(1)");

    // A statement that fails leaves the transaction failed, and the roll-back ends it.
    run(&guest, "begin").await;
    assert!(
        guest
            .execute("insert into nowhere values (1)", &[])
            .await
            .is_err()
    );
    let error = guest.execute("insert into ended values (4)", &[]).await;
    assert!(matches!(error, Err(Error::Statement(error)) if error.code == "25P02"));
    run(&guest, "rollback").await;
    run(&guest, "insert into ended values (5)").await;
    assert_eq!(seen().await, "Int64(2)");
}

#[tokio::test]
async fn what_a_statement_leaves_behind_is_not_left_to_others() {
    let pools = Pools::default();
    let url = shared().await;
    let guest = open(&pools, url);
    run(&guest, "set application_name = 'mine'").await;
    run(&guest, "create temp table scratch (a int)").await;
    rows(&guest, "select pg_advisory_lock(42)", &[]).await;
    assert_eq!(
        one(&guest, "select count(*) from scratch", &[]).await,
        "Int64(0)"
    );
    drop(guest);
    let other = open(&pools, url);
    let deadline = Instant::now() + Duration::from_secs(5);
    while one(
        &other,
        "select count(*) from pg_locks where locktype = 'advisory'",
        &[],
    )
    .await
        != "Int64(0)"
    {
        assert!(Instant::now() < deadline, "the lock is still held");
    }
    let name = one(&other, "select current_setting('application_name')", &[]).await;
    assert!(!name.contains("mine"), "{name}");
    assert!(other.execute("select * from scratch", &[]).await.is_err());
}

#[tokio::test]
async fn a_table_that_was_altered_meanwhile_is_read_anew() {
    let pools = Pools::default();
    let url = shared().await;
    let session = open(&pools, url);
    run(&session, "create table altered (a int)").await;
    run(&session, "insert into altered values (1)").await;
    drop(session);
    let session = open(&pools, url);
    let sql = "select * from altered";
    assert_eq!(rows(&session, sql, &[]).await[0].len(), 1);
    let other = open(&Pools::default(), url);
    run(&other, "alter table altered add column b int").await;
    assert_eq!(rows(&session, sql, &[]).await[0].len(), 2);
}

#[tokio::test]
async fn a_table_of_ones_own_is_not_the_next_ones() {
    let pools = Pools::default();
    for making in [
        "select 1 as a into temp secret",
        "explain analyze create temp table secret as select 1 as a",
    ] {
        let session = open(&pools, shared().await);
        session.query_all(making, &[]).await.unwrap();
        drop(session);
        let next = open(&pools, shared().await);
        let found = next.query_all("select a from secret", &[]).await;
        assert!(found.is_err(), "{making}");
    }
}

#[tokio::test]
async fn a_row_and_a_result_have_as_many_bytes_as_the_manifest_says() {
    let pools = Pools::default();
    let limits = Limits {
        result_bytes_max: 1_000,
        result_rows_max: 10,
        ..Limits::default()
    };
    let session = pools.open("small", limits, shared().await, None).unwrap();
    let fits = session.query_all("select repeat('x', 1000)", &[]).await;
    assert_eq!(fits.unwrap().1.len(), 1);
    let sql = "select repeat('x', 1001)";
    for refused in [
        session.query_all(sql, &[]).await.map(drop),
        session.query(sql, &[]).await.map(drop),
    ] {
        let reason = refused.unwrap_err().to_string();
        assert!(reason.contains("postgres_result_bytes_max"), "{reason}");
    }
    let sql = "select generate_series(1, 11)";
    let refused = session.query_all(sql, &[]).await.map(drop);
    let reason = refused.unwrap_err().to_string();
    assert!(reason.contains("more than 10 rows"), "{reason}");
    // It is still good for what is within.
    let fits = session
        .query_all("select generate_series(1, 10)", &[])
        .await;
    assert_eq!(fits.unwrap().1.len(), 10);
}
