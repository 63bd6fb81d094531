//! Values both ways: each is bound, and read back from what it was bound to.

use spin_sdk::pg::{Connection, DbValue, Interval, ParameterValue as P, RangeBoundKind};

use super::connect;
use crate::{Seen, compare, done};

type Fault = Box<dyn std::error::Error>;

/// What the database makes of the value, as a type of its own.
async fn echo(database: &Connection, kind: &str, value: P) -> Result<DbValue, Fault> {
    let sql = format!("select $1::{kind} as v");
    let rows = database.query(sql, [value]).await?.collect().await?;
    let value = &rows.first().ok_or("no row")?[0];
    Ok(value.clone())
}

async fn all(table: Vec<(&str, P, &str)>) -> Seen {
    let database = connect().await?;
    for (kind, value, expected) in table {
        let seen = echo(&database, kind, value).await;
        let seen = seen.map_err(|error| format!("{kind}: {error}"))?;
        let seen = format!("{seen:?}")
            .replace("DbValue::", "")
            .replace("RangeBoundKind::", "");
        if seen != expected {
            return Err(format!("{kind}: saw {seen} instead of {expected}").into());
        }
    }
    done()
}

pub async fn values() -> Seen {
    let uuid = "018f3c5e-7b1a-7c3d-8e4f-0123456789ab";
    let at = (2026, 3, 29, 1, 30, 0, 123_456_000);
    let interval = Interval {
        micros: 5,
        days: -2,
        months: 14,
    };
    all(vec![
        ("bool", P::Boolean(true), "Boolean(true)"),
        ("bool", P::Boolean(false), "Boolean(false)"),
        ("int2", P::Int8(-7), "Int16(-7)"),
        ("int2", P::Int16(i16::MIN), "Int16(-32768)"),
        ("int4", P::Int32(i32::MAX), "Int32(2147483647)"),
        ("int8", P::Int64(i64::MIN), "Int64(-9223372036854775808)"),
        ("int8", P::Timestamp(60), "Int64(60)"),
        ("float4", P::Floating32(1.5), "Floating32(1.5)"),
        ("float8", P::Floating64(-0.25), "Floating64(-0.25)"),
        ("float8", P::Floating64(f64::INFINITY), "Floating64(inf)"),
        ("text", P::Str("ä'\"\\".into()), r#"Str("ä'\"\\")"#),
        ("varchar", P::Str(String::new()), r#"Str("")"#),
        ("char(3)", P::Str("ab".into()), r#"Str("ab ")"#),
        ("bytea", P::Binary(vec![0, 255]), "Binary([0, 255])"),
        ("date", P::Date((1999, 12, 31)), "Date((1999, 12, 31))"),
        ("date", P::Date((-43, 3, 15)), "Date((-43, 3, 15))"),
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
            P::Timestamp(3_723),
            "Datetime((1970, 1, 1, 1, 2, 3, 0))",
        ),
        (
            "uuid",
            P::Uuid(uuid.into()),
            r#"Uuid("018f3c5e-7b1a-7c3d-8e4f-0123456789ab")"#,
        ),
        ("jsonb", P::Jsonb(b"[1]".to_vec()), "Jsonb([91, 49, 93])"),
        ("json", P::Jsonb(b"{}".to_vec()), "Jsonb([123, 125])"),
        (
            "numeric",
            P::Decimal("-12.50".into()),
            r#"Decimal("-12.50")"#,
        ),
        (
            "numeric",
            P::Decimal("123456789012345678901234567890.000000000000001".into()),
            r#"Decimal("123456789012345678901234567890.000000000000001")"#,
        ),
        (
            "interval",
            P::Interval(interval),
            "Interval(Interval { micros: 5, days: -2, months: 14 })",
        ),
    ])
    .await
}

pub async fn nulls() -> Seen {
    let kinds = [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "text",
        "varchar",
        "bytea",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "uuid",
        "json",
        "jsonb",
        "numeric",
        "interval",
        "int4range",
        "int8range",
        "numrange",
        "int4[]",
        "int8[]",
        "numeric[]",
        "text[]",
    ];
    all(kinds.map(|kind| (kind, P::DbNull, "DbNull")).to_vec()).await
}

pub async fn arrays() -> Seen {
    all(vec![
        (
            "int4[]",
            P::ArrayInt32(vec![Some(1), None, Some(-3)]),
            "ArrayInt32([Some(1), None, Some(-3)])",
        ),
        ("int4[]", P::ArrayInt32(vec![]), "ArrayInt32([])"),
        (
            "int8[]",
            P::ArrayInt64(vec![None, Some(i64::MAX)]),
            "ArrayInt64([None, Some(9223372036854775807)])",
        ),
        ("int8[]", P::ArrayInt64(vec![]), "ArrayInt64([])"),
        (
            "numeric[]",
            P::ArrayDecimal(vec![Some("1.10".into()), None]),
            r#"ArrayDecimal([Some("1.10"), None])"#,
        ),
        (
            "text[]",
            P::ArrayStr(vec![Some("a,b\"".into()), None, Some(String::new())]),
            r#"ArrayStr([Some("a,b\""), None, Some("")])"#,
        ),
        ("text[]", P::ArrayStr(vec![None]), "ArrayStr([None])"),
    ])
    .await
}

pub async fn ranges() -> Seen {
    use RangeBoundKind::{Exclusive, Inclusive};
    let decimal = |text: &str, kind| Some((text.to_owned(), kind));
    all(vec![
        // Ranges of whole numbers have one spelling: with the first, without the last.
        (
            "int4range",
            P::RangeInt32((Some((1, Exclusive)), Some((5, Inclusive)))),
            "RangeInt32((Some((2, Inclusive)), Some((6, Exclusive))))",
        ),
        (
            "int4range",
            P::RangeInt32((None, None)),
            "RangeInt32((None, None))",
        ),
        (
            "int8range",
            P::RangeInt64((Some((i64::MIN, Inclusive)), None)),
            "RangeInt64((Some((-9223372036854775808, Inclusive)), None))",
        ),
        (
            "int8range",
            P::RangeInt64((None, Some((5, Exclusive)))),
            "RangeInt64((None, Some((5, Exclusive))))",
        ),
        (
            "numrange",
            P::RangeDecimal((decimal("1.5", Inclusive), decimal("2", Inclusive))),
            r#"RangeDecimal((Some(("1.5", Inclusive)), Some(("2", Inclusive))))"#,
        ),
        (
            "numrange",
            P::RangeDecimal((decimal("1.5", Exclusive), decimal("2", Exclusive))),
            r#"RangeDecimal((Some(("1.5", Exclusive)), Some(("2", Exclusive))))"#,
        ),
        (
            "numrange",
            P::RangeDecimal((decimal("0", Inclusive), None)),
            r#"RangeDecimal((Some(("0", Inclusive)), None))"#,
        ),
    ])
    .await
}

/// The types that spin-sdk converts to.
pub async fn decoded() -> Seen {
    let database = connect().await?;
    let sql = "select true as b, 1::int2 as i2, 2::int4 as i4, 3::int8 as i8, 1.5::float4 as f4,
        2.5::float8 as f8, 't' as t, '\\x01'::bytea as y, null::text as n,
        array[1, null]::int4[] as a, array['x', null] as s, interval '1 day' as d";
    let rows = database.query(sql, []).await?.collect().await?;
    let row = rows.first().ok_or("no row")?;
    compare(row.get::<bool>("b"), "Some(true)")?;
    compare(row.get::<i16>("i2"), "Some(1)")?;
    compare(row.get::<i32>("i4"), "Some(2)")?;
    compare(row.get::<i64>("i8"), "Some(3)")?;
    compare(row.get::<f32>("f4"), "Some(1.5)")?;
    compare(row.get::<f64>("f8"), "Some(2.5)")?;
    compare(row.get::<String>("t"), "Some(\"t\")")?;
    compare(row.get::<Vec<u8>>("y"), "Some([1])")?;
    compare(row.get::<Option<String>>("n"), "Some(None)")?;
    compare(row.get::<Vec<Option<i32>>>("a"), "Some([Some(1), None])")?;
    compare(
        row.get::<Vec<Option<String>>>("s"),
        "Some([Some(\"x\"), None])",
    )?;
    let interval = row.get::<Interval>("d");
    compare(interval.map(|interval| interval.days), "Some(1)")?;
    done()
}

/// A type that the interface has no case for comes as its bytes; a value that has none, not at all.
pub async fn unsupported() -> Seen {
    let database = connect().await?;
    let result = database.query("select point '(1,2)' as p", []).await?;
    let kind = format!("{:?}", result.columns()[0].data_type);
    compare(kind.contains("point"), "true")?;
    let rows = result.collect().await?;
    compare(matches!(rows[0][0], DbValue::Unsupported(_)), "true")?;
    for sql in ["select 'infinity'::date", "select 'empty'::int4range"] {
        let outcome = match database.query(sql, []).await {
            Ok(result) => result.collect().await.map(drop),
            Err(error) => Err(error),
        };
        let text = format!("{outcome:?}");
        compare(text.contains("ValueConversionFailed"), "true")
            .map_err(|_| format!("{sql}: {text}"))?;
    }
    done()
}
