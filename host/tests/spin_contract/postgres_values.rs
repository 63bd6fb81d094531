//! What is bound, and how it comes back.

use praxis_host::capabilities::postgres::{
    DbValue, Error, Interval, ParameterValue as P, RangeBoundKind,
};

use crate::on_postgres::{one, plain, rows, run, session, text};

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
