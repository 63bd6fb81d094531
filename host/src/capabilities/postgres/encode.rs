//! A parameter in the binary format of the type that the statement wants.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments as _, Encode, Postgres, Type};
use uuid::Uuid;

use super::bindings::{Interval, ParameterValue, RangeBoundKind};
use super::error::Error;
use super::kind::Kind;
use super::numeric;

/// The parameters of a statement, each encoded as the type that the server inferred for it.
///
/// Text fits every type that has an unambiguous spelling (`uuid`, `numeric`, `date`, `timestamptz`
/// in RFC 3339, `json`), and integers fit every integer type that holds them.
pub fn arguments(types: &[PgTypeInfo], values: &[ParameterValue]) -> Result<PgArguments, Error> {
    if types.len() != values.len() {
        return Err(Error::Parameter(format!(
            "the statement has {} parameters, and {} values were given",
            types.len(),
            values.len()
        )));
    }
    let mut arguments = PgArguments::default();
    for (index, (info, value)) in types.iter().zip(values).enumerate() {
        let kind = Kind::of(info);
        let bytes = parameter(&kind, value).map_err(|Mismatch| {
            Error::Parameter(format!(
                "${} is {}: {} does not fit",
                index + 1,
                kind.name(),
                spelled(value)
            ))
        })?;
        arguments
            .add(Encoded(bytes))
            .map_err(|error| Error::Parameter(error.to_string()))?;
    }
    Ok(arguments)
}

/// The value cannot be one of the type.
#[derive(Debug, PartialEq, Eq)]
struct Mismatch;

/// The value in the binary format; `None` is NULL.
fn parameter(kind: &Kind, value: &ParameterValue) -> Result<Option<Vec<u8>>, Mismatch> {
    if matches!(value, ParameterValue::DbNull) {
        return Ok(None);
    }
    let bytes = match kind {
        Kind::Array {
            element,
            element_oid,
        } => array(element, *element_oid, value)?,
        Kind::Range(bound) => range(bound, value)?,
        kind => scalar(kind, value)?,
    };
    Ok(Some(bytes))
}

fn scalar(kind: &Kind, value: &ParameterValue) -> Result<Vec<u8>, Mismatch> {
    use ParameterValue as P;
    let integer = match value {
        P::Int8(v) => Some(i64::from(*v)),
        P::Int16(v) => Some(i64::from(*v)),
        P::Int32(v) => Some(i64::from(*v)),
        // Seconds since 1970: what spin-sdk makes of a duration, for a `bigint`.
        P::Int64(v) | P::Timestamp(v) => Some(*v),
        _ => None,
    };
    let bytes = match (kind, value) {
        (Kind::Bool, P::Boolean(v)) => vec![u8::from(*v)],
        (Kind::Int2, _) => narrow::<i16>(integer)?.to_be_bytes().to_vec(),
        (Kind::Int4, _) => narrow::<i32>(integer)?.to_be_bytes().to_vec(),
        (Kind::Int8, _) => integer.ok_or(Mismatch)?.to_be_bytes().to_vec(),
        (Kind::Oid, _) => narrow::<u32>(integer)?.to_be_bytes().to_vec(),
        (Kind::Float4, P::Floating32(v)) => v.to_be_bytes().to_vec(),
        (Kind::Float8, P::Floating32(v)) => f64::from(*v).to_be_bytes().to_vec(),
        (Kind::Float8, P::Floating64(v)) => v.to_be_bytes().to_vec(),
        (Kind::Text, P::Str(v) | P::Uuid(v) | P::Decimal(v)) => v.as_bytes().to_vec(),
        (Kind::Bytea, P::Binary(v)) => v.clone(),
        (Kind::Date, P::Date(v)) => date_bytes(date(*v)?)?,
        (Kind::Date, P::Str(v)) => date_bytes(v.parse().map_err(|_| Mismatch)?)?,
        (Kind::Time, P::Time(v)) => time_bytes(time(*v)?),
        (Kind::Time, P::Str(v)) => time_bytes(v.parse().map_err(|_| Mismatch)?),
        (Kind::Timestamp | Kind::Timestamptz, P::Datetime(v)) => instant_bytes(datetime(*v)?),
        (Kind::Timestamptz, P::Timestamp(v)) => {
            instant_bytes(DateTime::from_timestamp(*v, 0).ok_or(Mismatch)?.naive_utc())
        }
        (Kind::Timestamptz, P::Str(v)) => {
            let instant = DateTime::parse_from_rfc3339(v).map_err(|_| Mismatch)?;
            instant_bytes(instant.naive_utc())
        }
        (Kind::Timestamp, P::Str(v)) => instant_bytes(v.parse().map_err(|_| Mismatch)?),
        (Kind::Uuid, P::Uuid(v) | P::Str(v)) => {
            let uuid = Uuid::parse_str(v).map_err(|_| Mismatch)?;
            uuid.as_bytes().to_vec()
        }
        (Kind::Json, P::Jsonb(v)) => json(v)?.to_vec(),
        (Kind::Json, P::Str(v)) => json(v.as_bytes())?.to_vec(),
        (Kind::Jsonb, P::Jsonb(v)) => jsonb(v)?,
        (Kind::Jsonb, P::Str(v)) => jsonb(v.as_bytes())?,
        (Kind::Numeric, P::Decimal(v) | P::Str(v)) => numeric::encode(v).ok_or(Mismatch)?,
        (Kind::Numeric, _) => {
            let integer = integer.ok_or(Mismatch)?;
            numeric::encode(&integer.to_string()).ok_or(Mismatch)?
        }
        (Kind::Interval, P::Interval(v)) => interval_bytes(*v),
        _ => return Err(Mismatch),
    };
    Ok(bytes)
}

fn narrow<T: TryFrom<i64>>(integer: Option<i64>) -> Result<T, Mismatch> {
    T::try_from(integer.ok_or(Mismatch)?).map_err(|_| Mismatch)
}

/// Days and microseconds in PostgreSQL count from 2000-01-01.
fn epoch() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2000, 1, 1)
        .expect("the first of January 2000 was a day")
        .and_time(NaiveTime::MIN)
}

fn date((year, month, day): (i32, u8, u8)) -> Result<NaiveDate, Mismatch> {
    NaiveDate::from_ymd_opt(year, month.into(), day.into()).ok_or(Mismatch)
}

fn time((hour, minute, second, nanosecond): (u8, u8, u8, u32)) -> Result<NaiveTime, Mismatch> {
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanosecond)
        .ok_or(Mismatch)
}

fn datetime(v: (i32, u8, u8, u8, u8, u8, u32)) -> Result<NaiveDateTime, Mismatch> {
    Ok(date((v.0, v.1, v.2))?.and_time(time((v.3, v.4, v.5, v.6))?))
}

fn date_bytes(date: NaiveDate) -> Result<Vec<u8>, Mismatch> {
    let days = date.signed_duration_since(epoch().date()).num_days();
    let days = i32::try_from(days).map_err(|_| Mismatch)?;
    Ok(days.to_be_bytes().to_vec())
}

fn time_bytes(time: NaiveTime) -> Vec<u8> {
    let micros = i64::from(time.num_seconds_from_midnight()) * 1_000_000
        + i64::from(time.nanosecond() / 1_000);
    micros.to_be_bytes().to_vec()
}

/// Finer than a microsecond is cut off, as PostgreSQL cannot hold it.
fn instant_bytes(instant: NaiveDateTime) -> Vec<u8> {
    let micros = instant.and_utc().timestamp_micros() - epoch().and_utc().timestamp_micros();
    micros.to_be_bytes().to_vec()
}

fn interval_bytes(interval: Interval) -> Vec<u8> {
    [
        interval.micros.to_be_bytes().as_slice(),
        &interval.days.to_be_bytes(),
        &interval.months.to_be_bytes(),
    ]
    .concat()
}

fn json(text: &[u8]) -> Result<&[u8], Mismatch> {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).map_err(|_| Mismatch)?;
    Ok(text)
}

fn jsonb(text: &[u8]) -> Result<Vec<u8>, Mismatch> {
    const FORMAT_VERSION: u8 = 1;
    Ok([&[FORMAT_VERSION], json(text)?].concat())
}

/// One dimension, counted from one.
fn array(element: &Kind, element_oid: u32, value: &ParameterValue) -> Result<Vec<u8>, Mismatch> {
    use ParameterValue as P;
    let elements: Vec<Option<Vec<u8>>> = match value {
        P::ArrayInt32(values) => elements(element, values, |v| P::Int32(*v))?,
        P::ArrayInt64(values) => elements(element, values, |v| P::Int64(*v))?,
        P::ArrayDecimal(values) => elements(element, values, |v| P::Decimal(v.clone()))?,
        P::ArrayStr(values) => elements(element, values, |v| P::Str(v.clone()))?,
        _ => return Err(Mismatch),
    };
    let length = i32::try_from(elements.len()).map_err(|_| Mismatch)?;
    let has_null = elements.iter().any(Option::is_none);
    let mut bytes = Vec::new();
    bytes.extend(i32::from(length > 0).to_be_bytes());
    bytes.extend(i32::from(has_null).to_be_bytes());
    bytes.extend(element_oid.to_be_bytes());
    if length > 0 {
        bytes.extend(length.to_be_bytes());
        bytes.extend(1_i32.to_be_bytes());
    }
    for element in elements {
        with_length(&mut bytes, element.as_deref())?;
    }
    Ok(bytes)
}

fn elements<T>(
    kind: &Kind,
    values: &[Option<T>],
    wrap: impl Fn(&T) -> ParameterValue,
) -> Result<Vec<Option<Vec<u8>>>, Mismatch> {
    values
        .iter()
        .map(|value| value.as_ref().map(|v| scalar(kind, &wrap(v))).transpose())
        .collect()
}

fn range(bound: &Kind, value: &ParameterValue) -> Result<Vec<u8>, Mismatch> {
    use ParameterValue as P;
    match value {
        P::RangeInt32((lower, upper)) => {
            range_bytes(bound, lower.as_ref(), upper.as_ref(), |v| P::Int32(*v))
        }
        P::RangeInt64((lower, upper)) => {
            range_bytes(bound, lower.as_ref(), upper.as_ref(), |v| P::Int64(*v))
        }
        P::RangeDecimal((lower, upper)) => {
            range_bytes(bound, lower.as_ref(), upper.as_ref(), |v| {
                P::Decimal(v.clone())
            })
        }
        _ => Err(Mismatch),
    }
}

type Bound<T> = (T, RangeBoundKind);

fn range_bytes<T>(
    kind: &Kind,
    lower: Option<&Bound<T>>,
    upper: Option<&Bound<T>>,
    wrap: impl Fn(&T) -> ParameterValue,
) -> Result<Vec<u8>, Mismatch> {
    let flags = flag(
        lower,
        super::range::LOWER_INCLUSIVE,
        super::range::LOWER_INFINITE,
    ) | flag(
        upper,
        super::range::UPPER_INCLUSIVE,
        super::range::UPPER_INFINITE,
    );
    let mut bytes = vec![flags];
    for (value, _) in lower.into_iter().chain(upper) {
        with_length(&mut bytes, Some(&scalar(kind, &wrap(value))?))?;
    }
    Ok(bytes)
}

fn flag<T>(bound: Option<&Bound<T>>, inclusive: u8, infinite: u8) -> u8 {
    match bound {
        None => infinite,
        Some((_, RangeBoundKind::Inclusive)) => inclusive,
        Some((_, RangeBoundKind::Exclusive)) => 0,
    }
}

fn with_length(bytes: &mut Vec<u8>, value: Option<&[u8]>) -> Result<(), Mismatch> {
    let length = match value {
        Some(value) => i32::try_from(value.len()).map_err(|_| Mismatch)?,
        None => -1,
    };
    bytes.extend(length.to_be_bytes());
    bytes.extend(value.unwrap_or_default());
    Ok(())
}

/// The value's case, without the value: it may be somebody's name.
fn spelled(value: &ParameterValue) -> &'static str {
    match value {
        ParameterValue::Boolean(_) => "a boolean",
        ParameterValue::Int8(_) => "an int8",
        ParameterValue::Int16(_) => "an int16",
        ParameterValue::Int32(_) => "an int32",
        ParameterValue::Int64(_) => "an int64",
        ParameterValue::Floating32(_) => "a floating32",
        ParameterValue::Floating64(_) => "a floating64",
        ParameterValue::Str(_) => "this str",
        ParameterValue::Binary(_) => "a binary",
        ParameterValue::Date(_) => "this date",
        ParameterValue::Time(_) => "this time",
        ParameterValue::Datetime(_) => "this datetime",
        ParameterValue::Timestamp(_) => "a timestamp",
        ParameterValue::Uuid(_) => "this uuid",
        ParameterValue::Jsonb(_) => "this jsonb",
        ParameterValue::Decimal(_) => "this decimal",
        ParameterValue::RangeInt32(_) => "a range-int32",
        ParameterValue::RangeInt64(_) => "a range-int64",
        ParameterValue::RangeDecimal(_) => "this range-decimal",
        ParameterValue::ArrayInt32(_) => "an array-int32",
        ParameterValue::ArrayInt64(_) => "an array-int64",
        ParameterValue::ArrayDecimal(_) => "this array-decimal",
        ParameterValue::ArrayStr(_) => "this array-str",
        ParameterValue::Interval(_) => "an interval",
        ParameterValue::DbNull => "a null",
    }
}

/// Bytes that are in the binary format already.
struct Encoded(Option<Vec<u8>>);

impl Type<Postgres> for Encoded {
    /// Not looked at: the statement was prepared without types, and is in the cache.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("unknown")
    }
}

impl Encode<'_, Postgres> for Encoded {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match &self.0 {
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }
}
