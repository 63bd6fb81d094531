//! A value of the result, from the binary format.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat};
use chrono::{TimeDelta, Timelike as _};
use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Row as _, ValueRef as _};
use uuid::Uuid;

use super::bindings::{DbValue, Interval, RangeBoundKind};
use super::error::Error;
use super::kind::Kind;
use super::{numeric, range};

/// One row, and how many bytes its values have; `kinds` are those of its columns.
pub fn row(
    row: &PgRow,
    kinds: &[Kind],
    row_bytes_max: usize,
) -> Result<(Vec<DbValue>, usize), Error> {
    let mut values = Vec::with_capacity(kinds.len());
    let mut size = 0;
    for (index, kind) in kinds.iter().enumerate() {
        let raw = row.try_get_raw(index)?;
        if raw.is_null() {
            values.push(DbValue::DbNull);
            continue;
        }
        let bytes = raw
            .as_bytes()
            .map_err(|error| Error::Value(error.to_string()))?;
        size += bytes.len();
        if size > row_bytes_max {
            return Err(Error::Usage(format!(
                "a row has more than {row_bytes_max} bytes (postgres_result_bytes_max)"
            )));
        }
        if raw.format() != PgValueFormat::Binary {
            return Err(unreadable(index, kind));
        }
        values.push(value(kind, bytes).ok_or_else(|| unreadable(index, kind))?);
    }
    Ok((values, size))
}

fn unreadable(index: usize, kind: &Kind) -> Error {
    Error::Value(format!(
        "column {} holds a value of type {} that the interface cannot carry",
        index + 1,
        kind.name()
    ))
}

/// `None` if the interface has no value for it: an infinite date, an array of two dimensions.
fn value(kind: &Kind, bytes: &[u8]) -> Option<DbValue> {
    Some(match kind {
        Kind::Bool => DbValue::Boolean(*bytes.first()? != 0),
        Kind::Int2 => DbValue::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Int4 => DbValue::Int32(int4(bytes)?),
        Kind::Int8 => DbValue::Int64(int8(bytes)?),
        Kind::Oid => DbValue::Int64(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Float4 => DbValue::Floating32(f32::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Float8 => DbValue::Floating64(f64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Text => DbValue::Str(text(bytes)?),
        Kind::Bytea => DbValue::Binary(bytes.to_vec()),
        Kind::Date => {
            let date = date(bytes)?;
            DbValue::Date((date.year(), date.month() as u8, date.day() as u8))
        }
        Kind::Time => {
            let time = time(bytes)?;
            DbValue::Time((
                time.hour() as u8,
                time.minute() as u8,
                time.second() as u8,
                time.nanosecond(),
            ))
        }
        Kind::Timestamp | Kind::Timestamptz => {
            let at = instant(bytes)?;
            DbValue::Datetime((
                at.year(),
                at.month() as u8,
                at.day() as u8,
                at.hour() as u8,
                at.minute() as u8,
                at.second() as u8,
                at.nanosecond(),
            ))
        }
        Kind::Uuid => DbValue::Uuid(uuid(bytes)?),
        Kind::Json => DbValue::Jsonb(bytes.to_vec()),
        Kind::Jsonb => DbValue::Jsonb(bytes.get(1..)?.to_vec()),
        Kind::Numeric => DbValue::Decimal(numeric::decode(bytes)?),
        Kind::Interval => DbValue::Interval(Interval {
            micros: int8(bytes.get(..8)?)?,
            days: int4(bytes.get(8..12)?)?,
            months: int4(bytes.get(12..)?)?,
        }),
        Kind::Range(bound) => match **bound {
            Kind::Int4 => DbValue::RangeInt32(range_of(bytes, int4)?),
            Kind::Int8 => DbValue::RangeInt64(range_of(bytes, int8)?),
            _ => DbValue::RangeDecimal(range_of(bytes, numeric::decode)?),
        },
        Kind::Array { element, .. } => match **element {
            Kind::Int2 => DbValue::ArrayInt32(array_of(bytes, |element| {
                Some(i16::from_be_bytes(element.try_into().ok()?).into())
            })?),
            Kind::Int4 => DbValue::ArrayInt32(array_of(bytes, int4)?),
            Kind::Int8 => DbValue::ArrayInt64(array_of(bytes, int8)?),
            Kind::Oid => DbValue::ArrayInt64(array_of(bytes, |element| {
                Some(u32::from_be_bytes(element.try_into().ok()?).into())
            })?),
            Kind::Numeric => DbValue::ArrayDecimal(array_of(bytes, numeric::decode)?),
            ref kind => DbValue::ArrayStr(array_of(bytes, |element| spelled(kind, element))?),
        },
        Kind::Other(_) => DbValue::Unsupported(bytes.to_vec()),
    })
}

fn int4(bytes: &[u8]) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.try_into().ok()?))
}

fn int8(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

fn uuid(bytes: &[u8]) -> Option<String> {
    Some(Uuid::from_slice(bytes).ok()?.to_string())
}

/// Days and microseconds in PostgreSQL count from 2000-01-01.
fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2000, 1, 1)
        .expect("the first of January 2000 was a day")
        .and_time(NaiveTime::MIN)
}

fn date(bytes: &[u8]) -> Option<NaiveDate> {
    let days = int4(bytes)?;
    let distance = Days::new(days.unsigned_abs().into());
    if days < 0 {
        epoch().date().checked_sub_days(distance)
    } else {
        epoch().date().checked_add_days(distance)
    }
}

fn time(bytes: &[u8]) -> Option<NaiveTime> {
    let micros = int8(bytes)?;
    let seconds = u32::try_from(micros / 1_000_000).ok()?;
    let rest = u32::try_from(micros % 1_000_000).ok()?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, rest * 1_000)
}

fn instant(bytes: &[u8]) -> Option<NaiveDateTime> {
    epoch().checked_add_signed(TimeDelta::microseconds(int8(bytes)?))
}

/// An element as text, spelled so that it may come back as a parameter.
fn spelled(kind: &Kind, bytes: &[u8]) -> Option<String> {
    Some(match kind {
        Kind::Text | Kind::Json => text(bytes)?,
        Kind::Jsonb => text(bytes.get(1..)?)?,
        Kind::Uuid => uuid(bytes)?,
        Kind::Date => date(bytes)?.to_string(),
        Kind::Time => time(bytes)?.to_string(),
        Kind::Timestamp => instant(bytes)?.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        Kind::Timestamptz => {
            let at: DateTime<chrono::Utc> = instant(bytes)?.and_utc();
            at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
        }
        Kind::Bool => (*bytes.first()? != 0).to_string(),
        Kind::Float4 => f32::from_be_bytes(bytes.try_into().ok()?).to_string(),
        Kind::Float8 => f64::from_be_bytes(bytes.try_into().ok()?).to_string(),
        _ => return None,
    })
}

fn array_of<T>(bytes: &[u8], element: impl Fn(&[u8]) -> Option<T>) -> Option<Vec<Option<T>>> {
    let dimensions = int4(bytes.get(..4)?)?;
    if dimensions == 0 {
        return Some(Vec::new());
    }
    if dimensions != 1 {
        return None;
    }
    let length = usize::try_from(int4(bytes.get(12..16)?)?).ok()?;
    let mut rest = bytes.get(20..)?;
    let mut values = Vec::with_capacity(length);
    for _ in 0..length {
        let (value, after) = with_length(rest)?;
        values.push(match value {
            Some(value) => Some(element(value)?),
            None => None,
        });
        rest = after;
    }
    Some(values)
}

type Bound<T> = Option<(T, RangeBoundKind)>;

fn range_of<T>(bytes: &[u8], bound: impl Fn(&[u8]) -> Option<T>) -> Option<(Bound<T>, Bound<T>)> {
    let (&flags, mut rest) = bytes.split_first()?;
    // The interface has no empty range; one without bounds would mean everything.
    if flags & range::EMPTY != 0 {
        return None;
    }
    let mut next = |infinite: u8, inclusive: u8| -> Option<Bound<T>> {
        if flags & infinite != 0 {
            return Some(None);
        }
        let (value, after) = with_length(rest)?;
        rest = after;
        let kind = if flags & inclusive != 0 {
            RangeBoundKind::Inclusive
        } else {
            RangeBoundKind::Exclusive
        };
        Some(Some((bound(value?)?, kind)))
    };
    let lower = next(range::LOWER_INFINITE, range::LOWER_INCLUSIVE)?;
    let upper = next(range::UPPER_INFINITE, range::UPPER_INCLUSIVE)?;
    Some((lower, upper))
}

fn with_length(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let length = int4(bytes.get(..4)?)?;
    let rest = &bytes[4..];
    match usize::try_from(length) {
        Ok(length) => Some((Some(rest.get(..length)?), rest.get(length..)?)),
        Err(_) => Some((None, rest)),
    }
}
