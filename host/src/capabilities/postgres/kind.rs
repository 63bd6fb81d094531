//! PostgreSQL's types, as far as the interface can carry them.

use sqlx::TypeInfo as _;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};

use super::bindings::DbDataType;

/// How values of a type are read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    /// `text` and whatever has its bytes: `varchar`, `char(n)`, `name`, `citext`, enums.
    Text,
    Bytea,
    Date,
    Time,
    Timestamp,
    /// Read as a `datetime` in UTC, as Spin does.
    Timestamptz,
    Uuid,
    Json,
    Jsonb,
    Numeric,
    Interval,
    Range(Box<Kind>),
    Array {
        element: Box<Kind>,
        element_oid: u32,
    },
    /// Read as `unsupported`; no parameter fits.
    Other(String),
}

impl Kind {
    pub fn of(info: &PgTypeInfo) -> Self {
        match info.kind() {
            PgTypeKind::Simple | PgTypeKind::Pseudo => simple(info.name()),
            PgTypeKind::Domain(base) => Self::of(base),
            PgTypeKind::Enum(_) => Self::Text,
            PgTypeKind::Array(element) => match (Self::of(element), element.oid()) {
                (Self::Other(_) | Self::Array { .. } | Self::Range(_), _) | (_, None) => {
                    Self::Other(info.name().to_owned())
                }
                (kind, Some(oid)) => Self::Array {
                    element: Box::new(kind),
                    element_oid: oid.0,
                },
            },
            PgTypeKind::Range(bound) => match Self::of(bound) {
                kind @ (Self::Int4 | Self::Int8 | Self::Numeric) => Self::Range(Box::new(kind)),
                _ => Self::Other(info.name().to_owned()),
            },
            PgTypeKind::Composite(_) => Self::Other(info.name().to_owned()),
        }
    }

    /// What a column of this kind is called in the interface.
    pub fn data_type(&self) -> DbDataType {
        match self {
            Self::Bool => DbDataType::Boolean,
            Self::Int2 => DbDataType::Int16,
            Self::Int4 => DbDataType::Int32,
            Self::Int8 | Self::Oid => DbDataType::Int64,
            Self::Float4 => DbDataType::Floating32,
            Self::Float8 => DbDataType::Floating64,
            Self::Text => DbDataType::Str,
            Self::Bytea => DbDataType::Binary,
            Self::Date => DbDataType::Date,
            Self::Time => DbDataType::Time,
            Self::Timestamp | Self::Timestamptz => DbDataType::Datetime,
            Self::Uuid => DbDataType::Uuid,
            Self::Json | Self::Jsonb => DbDataType::Jsonb,
            Self::Numeric => DbDataType::Decimal,
            Self::Interval => DbDataType::Interval,
            Self::Range(bound) => match **bound {
                Self::Int4 => DbDataType::RangeInt32,
                Self::Int8 => DbDataType::RangeInt64,
                _ => DbDataType::RangeDecimal,
            },
            Self::Array { element, .. } => match **element {
                Self::Int2 | Self::Int4 => DbDataType::ArrayInt32,
                Self::Int8 | Self::Oid => DbDataType::ArrayInt64,
                Self::Numeric => DbDataType::ArrayDecimal,
                _ => DbDataType::ArrayStr,
            },
            Self::Other(name) => DbDataType::Other(name.to_lowercase()),
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> String {
        match self {
            Self::Bool => "boolean".into(),
            Self::Int2 => "smallint".into(),
            Self::Int4 => "integer".into(),
            Self::Int8 => "bigint".into(),
            Self::Oid => "oid".into(),
            Self::Float4 => "real".into(),
            Self::Float8 => "double precision".into(),
            Self::Text => "text".into(),
            Self::Bytea => "bytea".into(),
            Self::Date => "date".into(),
            Self::Time => "time".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Timestamptz => "timestamptz".into(),
            Self::Uuid => "uuid".into(),
            Self::Json => "json".into(),
            Self::Jsonb => "jsonb".into(),
            Self::Numeric => "numeric".into(),
            Self::Interval => "interval".into(),
            Self::Range(bound) => format!("range of {}", bound.name()),
            Self::Array { element, .. } => format!("{}[]", element.name()),
            Self::Other(name) => name.to_lowercase(),
        }
    }
}

fn simple(name: &str) -> Kind {
    match name {
        "BOOL" => Kind::Bool,
        "INT2" => Kind::Int2,
        "INT4" => Kind::Int4,
        "INT8" => Kind::Int8,
        "OID" => Kind::Oid,
        "FLOAT4" => Kind::Float4,
        "FLOAT8" => Kind::Float8,
        "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN" | "citext" => Kind::Text,
        "BYTEA" => Kind::Bytea,
        "DATE" => Kind::Date,
        "TIME" => Kind::Time,
        "TIMESTAMP" => Kind::Timestamp,
        "TIMESTAMPTZ" => Kind::Timestamptz,
        "UUID" => Kind::Uuid,
        "JSON" => Kind::Json,
        "JSONB" => Kind::Jsonb,
        "NUMERIC" => Kind::Numeric,
        "INTERVAL" => Kind::Interval,
        other => Kind::Other(other.to_owned()),
    }
}
