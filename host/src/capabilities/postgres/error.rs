//! What can go wrong, and which case of the interface says so.

use std::fmt;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::bindings as wit;

/// An error on its way to the guest, or a fault of the guest that ends it.
#[derive(Debug)]
pub enum Error {
    /// Not reachable, shutting down, no free connection in time, or not granted.
    Connection(String),
    /// The parameters do not fit the statement.
    Parameter(String),
    /// The server refused the statement.
    Statement(Box<wit::DbError>),
    /// The driver refused the statement.
    Driver(String),
    /// A value in the result could not be read.
    Value(String),
    /// The interface was used in a way that it does not allow.
    Usage(String),
    /// Traps the guest: a handle that is not its own.
    Trap(wasmtime::Error),
}

impl Error {
    /// The error as the guest sees it.
    pub fn into_wit(self) -> wasmtime::Result<wit::Error> {
        Ok(match self {
            Self::Connection(reason) => wit::Error::ConnectionFailed(reason),
            Self::Parameter(reason) => wit::Error::BadParameter(reason),
            Self::Statement(error) => wit::Error::QueryFailed(wit::QueryError::DbError(*error)),
            Self::Driver(reason) => wit::Error::QueryFailed(wit::QueryError::Text(reason)),
            Self::Value(reason) => wit::Error::ValueConversionFailed(reason),
            Self::Usage(reason) => wit::Error::Other(reason),
            Self::Trap(trap) => return Err(trap),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(reason)
            | Self::Parameter(reason)
            | Self::Driver(reason)
            | Self::Value(reason)
            | Self::Usage(reason) => f.write_str(reason),
            Self::Statement(error) => f.write_str(&error.as_text),
            Self::Trap(trap) => write!(f, "{trap}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let Some(error) = database.try_downcast_ref::<PgDatabaseError>() else {
                    return Self::Driver(database.to_string());
                };
                if is_unavailable(error.code()) {
                    Self::Connection(error.to_string())
                } else {
                    Self::Statement(Box::new(db_error(error)))
                }
            }
            sqlx::Error::Encode(reason) => Self::Parameter(reason.to_string()),
            sqlx::Error::Decode(reason) => Self::Value(reason.to_string()),
            sqlx::Error::ColumnDecode { source, .. } => Self::Value(source.to_string()),
            error if is_broken(&error) => Self::Connection(error.to_string()),
            error => Self::Driver(error.to_string()),
        }
    }
}

/// Whether the connection is of no more use after the error.
pub fn is_broken(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Configuration(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error
                .try_downcast_ref::<PgDatabaseError>()
                .is_none_or(|error| {
                    is_unavailable(error.code())
                        || matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                })
        }
        _ => false,
    }
}

/// Whether a cached plan no longer fits the tables: nothing was run, and a fresh connection will.
pub fn is_stale_plan(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    error
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|error| {
            error.code() == "26000"
                || (error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery"))
        })
}

/// The server is going down, coming up or full, or it refuses who we are.
fn is_unavailable(code: &str) -> bool {
    matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "53300")
        || code.starts_with("08")
        || code.starts_with("28")
}

fn db_error(error: &PgDatabaseError) -> wit::DbError {
    // Spin's names, and the names that PostgreSQL itself gives to the same fields.
    let extras = [
        ("schema", error.schema()),
        ("schema_name", error.schema()),
        ("table", error.table()),
        ("table_name", error.table()),
        ("column", error.column()),
        ("column_name", error.column()),
        ("datatype", error.data_type()),
        ("datatype_name", error.data_type()),
        ("constraint", error.constraint()),
        ("constraint_name", error.constraint()),
        ("routine", error.routine()),
        ("hint", error.hint()),
    ];
    wit::DbError {
        as_text: error.to_string(),
        severity: severity(error.severity()).to_owned(),
        code: error.code().to_owned(),
        message: error.message().to_owned(),
        detail: error.detail().map(str::to_owned),
        extras: extras
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect(),
    }
}

fn severity(severity: PgSeverity) -> &'static str {
    match severity {
        PgSeverity::Panic => "PANIC",
        PgSeverity::Fatal => "FATAL",
        PgSeverity::Error => "ERROR",
        PgSeverity::Warning => "WARNING",
        PgSeverity::Notice => "NOTICE",
        PgSeverity::Debug => "DEBUG",
        PgSeverity::Info => "INFO",
        PgSeverity::Log => "LOG",
    }
}
