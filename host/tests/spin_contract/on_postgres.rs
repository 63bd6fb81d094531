//! `spin:postgres` against a real server, without a guest.

use std::time::{Duration, Instant};

use futures::future::join_all;
use praxis_host::capabilities::postgres::{
    BATCH_ROWS_MAX, DbValue, Error, Interval, Limits, ParameterValue as P, Pools, RangeBoundKind,
    Row, Rows, Session,
};
use tokio::sync::OnceCell;

use crate::postgres;

/// The address of the database that these tests share.
async fn shared() -> &'static str {
    static URL: OnceCell<String> = OnceCell::const_new();
    URL.get_or_init(async || postgres::database(postgres::shared().await).await)
        .await
}

fn open(pools: &Pools, url: &str) -> Session {
    pools.open("test", Limits::default(), url, None).unwrap()
}

async fn session() -> Session {
    open(&Pools::default(), shared().await)
}

async fn rows(session: &Session, sql: &str, values: &[P]) -> Vec<Row> {
    let answer = session.query_all(sql, values).await;
    answer.unwrap_or_else(|error| panic!("{sql}: {error}")).1
}

async fn one(session: &Session, sql: &str, values: &[P]) -> String {
    let rows = rows(session, sql, values).await;
    plain(&rows[0][0])
}

/// How a value looks, without the name of its type.
fn plain(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").replace("DbValue::", "")
}

async fn run(session: &Session, sql: &str) -> u64 {
    let changed = session.execute(sql, &[]).await;
    changed.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn text(value: &str) -> P {
    P::Str(value.to_owned())
}

#[tokio::test]
async fn every_type_comes_back_as_it_was_bound() {
    use RangeBoundKind::{Exclusive, Inclusive};
    let at = (2026, 3, 29, 1, 30, 0, 123_456_000);
    let interval = Interval {
        micros: 5,
        days: -2,
        months: 14,
    };
    let uuid = "018f3c5e-7b1a-7c3d-8e4f-0123456789ab";
    let table = [
        ("bool", P::Boolean(true), "Boolean(true)"),
        ("int2", P::Int8(-7), "Int16(-7)"),
        ("int2", P::Int16(7), "Int16(7)"),
        ("int4", P::Int32(-1), "Int32(-1)"),
        ("int4", P::Int64(5), "Int32(5)"),
        ("int8", P::Int32(5), "Int64(5)"),
        ("int8", P::Timestamp(60), "Int64(60)"),
        ("oid", P::Int64(4_000_000_000), "Int64(4000000000)"),
        ("float4", P::Floating32(1.5), "Floating32(1.5)"),
        ("float8", P::Floating64(-0.25), "Floating64(-0.25)"),
        ("text", text("ä'\"\\"), r#"Str("ä'\"\\")"#),
        ("varchar(3)", text("abc"), r#"Str("abc")"#),
        ("char(3)", text("ab"), r#"Str("ab ")"#),
        ("name", text("n"), r#"Str("n")"#),
        ("bytea", P::Binary(vec![0, 255]), "Binary([0, 255])"),
        ("date", P::Date((1999, 12, 31)), "Date((1999, 12, 31))"),
        ("date", text("2026-02-28"), "Date((2026, 2, 28))"),
        (
            "time",
            P::Time((23, 59, 59, 1_000)),
            "Time((23, 59, 59, 1000))",
        ),
        (
            "timestamp",
            P::Datetime(at),
            "Datetime((2026, 3, 29, 1, 30, 0, 123456000))",
        ),
        (
            "timestamptz",
            P::Datetime(at),
            "Datetime((2026, 3, 29, 1, 30, 0, 123456000))",
        ),
        (
            "timestamptz",
            text("2026-03-29T03:30:00+02:00"),
            "Datetime((2026, 3, 29, 1, 30, 0, 0))",
        ),
        (
            "timestamptz",
            text("1969-12-31T23:59:59Z"),
            "Datetime((1969, 12, 31, 23, 59, 59, 0))",
        ),
        (
            "timestamptz",
            P::Timestamp(3_723),
            "Datetime((1970, 1, 1, 1, 2, 3, 0))",
        ),
        (
            "uuid",
            P::Uuid(uuid.into()),
            r#"Uuid("018f3c5e-7b1a-7c3d-8e4f-0123456789ab")"#,
        ),
        (
            "uuid",
            text(uuid),
            r#"Uuid("018f3c5e-7b1a-7c3d-8e4f-0123456789ab")"#,
        ),
        (
            "numeric",
            P::Decimal("-12.50".into()),
            r#"Decimal("-12.50")"#,
        ),
        ("numeric", text("0.0001"), r#"Decimal("0.0001")"#),
        ("numeric", P::Int64(10_000), r#"Decimal("10000")"#),
        ("numeric(6,2)", text("1234.5"), r#"Decimal("1234.50")"#),
        (
            "interval",
            P::Interval(interval),
            "Interval(Interval { micros: 5, days: -2, months: 14 })",
        ),
        (
            "int4range",
            P::RangeInt32((Some((1, Inclusive)), Some((5, Exclusive)))),
            "RangeInt32((Some((1, RangeBoundKind::Inclusive)), Some((5, RangeBoundKind::Exclusive))))",
        ),
        (
            "int8range",
            P::RangeInt64((None, Some((5, Exclusive)))),
            "RangeInt64((None, Some((5, RangeBoundKind::Exclusive))))",
        ),
        (
            "numrange",
            P::RangeDecimal((Some(("1.5".into(), Exclusive)), None)),
            r#"RangeDecimal((Some(("1.5", RangeBoundKind::Exclusive)), None))"#,
        ),
        (
            "int4[]",
            P::ArrayInt32(vec![Some(1), None]),
            "ArrayInt32([Some(1), None])",
        ),
        (
            "int2[]",
            P::ArrayInt32(vec![Some(1)]),
            "ArrayInt32([Some(1)])",
        ),
        ("int8[]", P::ArrayInt64(vec![]), "ArrayInt64([])"),
        (
            "numeric[]",
            P::ArrayDecimal(vec![Some("1.10".into())]),
            r#"ArrayDecimal([Some("1.10")])"#,
        ),
        (
            "text[]",
            P::ArrayStr(vec![Some("a,b".into()), None]),
            r#"ArrayStr([Some("a,b"), None])"#,
        ),
        (
            "uuid[]",
            P::ArrayStr(vec![Some(uuid.into())]),
            r#"ArrayStr([Some("018f3c5e-7b1a-7c3d-8e4f-0123456789ab")])"#,
        ),
        (
            "date[]",
            P::ArrayStr(vec![Some("2026-01-02".into())]),
            r#"ArrayStr([Some("2026-01-02")])"#,
        ),
        (
            "timestamptz[]",
            P::ArrayStr(vec![Some("2026-01-02T04:04:05+01:00".into())]),
            r#"ArrayStr([Some("2026-01-02T03:04:05Z")])"#,
        ),
    ];
    let session = session().await;
    for (kind, value, expected) in table {
        let sql = format!("select $1::{kind}");
        assert_eq!(one(&session, &sql, &[value]).await, expected, "{kind}");
    }
    let values = [text(r#"{"a":1}"#), text("[1]")];
    let json = rows(&session, "select $1::jsonb, $2::json", &values).await;
    assert!(matches!(&json[0][0], DbValue::Jsonb(bytes) if bytes == br#"{"a": 1}"#));
    assert!(matches!(&json[0][1], DbValue::Jsonb(bytes) if bytes == b"[1]"));
}

#[tokio::test]
async fn enums_domains_and_foreign_types_are_carried() {
    let session = session().await;
    run(&session, "create type mood as enum ('calm', 'loud')").await;
    run(
        &session,
        "create domain grade as int4 check (value between 1 and 6)",
    )
    .await;
    run(&session, "create table moods (mood mood, grade grade)").await;
    let insert = "insert into moods values ($1, $2)";
    let changed = session.execute(insert, &[text("calm"), P::Int32(3)]).await;
    assert_eq!(changed.unwrap(), 1);
    let row = &rows(&session, "select mood, grade, array[mood] from moods", &[]).await[0];
    assert_eq!(
        plain(row),
        r#"[Str("calm"), Int32(3), ArrayStr([Some("calm")])]"#
    );
    let refused = session.execute(insert, &[text("calm"), P::Int32(7)]).await;
    assert!(matches!(refused, Err(Error::Statement(error)) if error.code == "23514"));
    assert_eq!(
        one(&session, "select '10.0.0.1'::inet is not null", &[]).await,
        "Boolean(true)"
    );
    let (columns, rows) = session.query_all("select point(1, 2)", &[]).await.unwrap();
    assert_eq!(
        format!("{:?}", columns[0].data_type),
        r#"DbDataType::Other("point")"#
    );
    assert!(matches!(rows[0][0], DbValue::Unsupported(_)));
}

#[tokio::test]
async fn a_null_fits_every_type_and_an_empty_result_has_its_columns() {
    let session = session().await;
    for kind in [
        "int4",
        "text",
        "uuid",
        "timestamptz",
        "numeric",
        "int4[]",
        "jsonb",
    ] {
        let sql = format!("select $1::{kind}");
        assert_eq!(one(&session, &sql, &[P::DbNull]).await, "DbNull", "{kind}");
    }
    let sql = "select 1 as one, 'a'::text as a where false";
    let (columns, rows) = session.query_all(sql, &[]).await.unwrap();
    assert!(rows.is_empty());
    let named: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(named, ["one", "a"]);
}

#[tokio::test]
async fn the_same_statement_takes_another_type_the_next_time() {
    let session = session().await;
    let sql = "select $1::int8 + 1";
    assert_eq!(one(&session, sql, &[P::Int32(1)]).await, "Int64(2)");
    assert_eq!(one(&session, sql, &[P::Int64(2)]).await, "Int64(3)");
    assert_eq!(one(&session, sql, &[P::DbNull]).await, "DbNull");
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_a_bad_parameter() {
    let session = session().await;
    let table: [(&str, &[P]); 9] = [
        ("select $1::int2", &[P::Int32(40_000)]),
        ("select $1::int4", &[P::Str("1".into())]),
        ("select $1::uuid", &[P::Str("no".into())]),
        ("select $1::timestamptz", &[P::Str("2026-01-01".into())]),
        ("select $1::date", &[P::Date((2026, 2, 30))]),
        ("select $1::numeric", &[P::Str("1,5".into())]),
        ("select $1::jsonb", &[P::Jsonb(b"{".to_vec())]),
        ("select $1::int4", &[]),
        ("select 1", &[P::Int32(1)]),
    ];
    for (sql, values) in table {
        let answer = session.query_all(sql, values).await;
        assert!(
            matches!(answer, Err(Error::Parameter(_))),
            "{sql} {:?}",
            answer.err()
        );
    }
    let values = [P::Int32(1), text("secret")];
    let error = session.execute("select $1::int4, $2::uuid", &values).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("$2") && !error.contains("secret"), "{error}");
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
            match tokio::time::timeout(Duration::from_millis(200), began).await {
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
    let asked = Instant::now();
    let all = join_all((0..40).map(|_| healthy.query_all("select 1", &[])));
    assert!(all.await.into_iter().all(|answer| answer.is_ok()));
    assert!(asked.elapsed() < Duration::from_secs(1));

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
