//! PostgreSQL, over the connection that the manifest grants.

use std::sync::Arc;

use praxis_domain::sqlstate::Refusal;
use spin_sdk::pg::{self, Column, Connection, DbValue, Decode, PgError, QueryError};
use spin_sdk::variables;
use spin_sdk::wit_bindgen::StreamResult;

pub use spin_sdk::pg::ParameterValue;

/// The component's variable that holds the address.
const URL_VARIABLE: &str = "database_url";
/// Version 00.
const TRACEPARENT_BYTES: usize = 55;
/// Rows taken over at once.
const ROWS_PER_READ: usize = 256;

/// What the caller can do about it, in four cases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Try later.
    #[error("the database is unavailable")]
    Unavailable,
    /// Another change came in between (a deadlock, a serialisation failure): try again.
    #[error("the database gave way to another change")]
    Contention,
    /// A constraint refused the change, by its name.
    #[error("the constraint {0} refused the change")]
    Constraint(String),
    /// A mistake of ours: the statement, its parameters or the schema.
    #[error("the database refused: {0}")]
    Broken(String),
}

/// An answer that depends on which constraint refused.
pub trait OnConstraint<T, E> {
    /// Where this constraint refused, what `answer` makes of it.
    fn on_constraint(self, name: &str, answer: impl FnOnce() -> Result<T, E>) -> Result<T, E>;
}

impl<T, E: From<Error>> OnConstraint<T, E> for Result<T, Error> {
    fn on_constraint(self, name: &str, answer: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match self {
            Err(Error::Constraint(refused)) if refused == name => answer(),
            other => other.map_err(E::from),
        }
    }
}

/// A connection, for as long as one request or event takes.
pub struct Database {
    connection: Connection,
    traceparent: Option<String>,
}

impl Database {
    pub async fn open() -> Result<Self, Error> {
        let url = variables::get(URL_VARIABLE)
            .await
            .map_err(|error| Error::Broken(format!("variable {URL_VARIABLE}: {error}")))?;
        let connection = Connection::open(url).await?;
        Ok(Self {
            connection,
            traceparent: None,
        })
    }

    /// As `open`, for what belongs to this trace (W3C trace context), if to any.
    pub async fn open_for(traceparent: Option<&str>) -> Result<Self, Error> {
        // The relay looks whether it is one; what cannot be is not kept.
        let traceparent = traceparent.filter(|text| text.len() == TRACEPARENT_BYTES);
        Ok(Self {
            traceparent: traceparent.map(str::to_owned),
            ..Self::open().await?
        })
    }

    /// The trace, for the column `traceparent` of what is to be published: `$n::text`.
    pub fn trace(&self) -> ParameterValue {
        optional(self.traceparent.as_ref(), text)
    }

    /// The rows of a statement.
    pub async fn rows(
        &self,
        statement: &str,
        parameters: Vec<ParameterValue>,
    ) -> Result<Vec<Row>, Error> {
        let result = self.connection.query(statement, parameters).await?;
        let (columns, mut stream, outcome) = result.into_inner();
        let columns = Arc::new(columns);
        let mut rows = Vec::new();
        loop {
            // Many rows a read: one at a time costs five times as much.
            let (status, batch) = stream.read(Vec::with_capacity(ROWS_PER_READ)).await;
            rows.extend(batch.into_iter().map(|values| Row {
                columns: Arc::clone(&columns),
                values,
            }));
            if !matches!(status, StreamResult::Complete(_)) {
                break;
            }
        }
        outcome.await.map_err(pg::Error::PgError)?;
        Ok(rows)
    }

    /// The first row of a statement, if it has one.
    pub async fn row(
        &self,
        statement: &str,
        parameters: Vec<ParameterValue>,
    ) -> Result<Option<Row>, Error> {
        Ok(self.rows(statement, parameters).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub async fn execute(
        &self,
        statement: &str,
        parameters: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        Ok(self.connection.execute(statement, parameters).await?)
    }
}

/// A row, read by the names of its columns.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<Vec<Column>>,
    values: Vec<DbValue>,
}

impl Database {
    /// All of `work`, or nothing of it. Why it failed counts for more than how the transaction ended.
    pub async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.execute("begin", Vec::new()).await?;
        let done = work().await;
        let end = if done.is_ok() { "commit" } else { "rollback" };
        let ended = self.execute(end, Vec::new()).await;
        let done = done?;
        ended?;
        Ok(done)
    }
}

impl Row {
    /// A column as a `T`; `Option<T>` where it may be null.
    pub fn get<T: Decode>(&self, column: &str) -> Result<T, Error> {
        T::decode(self.value(column)?)
            .map_err(|error| Error::Broken(format!("column {column}: {error}")))
    }

    /// A column of type `jsonb`, read into a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let DbValue::Jsonb(bytes) = self.value(column)? else {
            return Err(Error::Broken(format!("column {column} is not jsonb")));
        };
        serde_json::from_slice(bytes)
            .map_err(|error| Error::Broken(format!("column {column}: {error}")))
    }

    /// As `json`, where it may be null.
    pub fn optional_json<T: serde::de::DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, Error> {
        match self.value(column)? {
            DbValue::DbNull => Ok(None),
            _ => self.json(column).map(Some),
        }
    }

    /// A column that holds seconds since the Unix epoch: `extract(epoch from …)::bigint`.
    pub fn instant(&self, column: &str) -> Result<jiff::Timestamp, Error> {
        instant(column, self.get(column)?)
    }

    /// As `instant`, where it may be null.
    pub fn optional_instant(&self, column: &str) -> Result<Option<jiff::Timestamp>, Error> {
        let seconds: Option<i64> = self.get(column)?;
        seconds.map(|seconds| instant(column, seconds)).transpose()
    }

    /// A column whose text is a `T` of ours: `local_date::text` as a date.
    pub fn parse<T: std::str::FromStr>(&self, column: &str) -> Result<T, Error> {
        let text: String = self.get(column)?;
        text.parse()
            .map_err(|_| Error::Broken(format!("column {column} holds {text:?}")))
    }

    fn value(&self, column: &str) -> Result<&DbValue, Error> {
        self.columns
            .iter()
            .position(|known| known.name == column)
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| Error::Broken(format!("there is no column {column}")))
    }
}

fn instant(column: &str, seconds: i64) -> Result<jiff::Timestamp, Error> {
    jiff::Timestamp::from_second(seconds)
        .map_err(|error| Error::Broken(format!("column {column}: {error}")))
}

/// A parameter for `to_timestamp($n::bigint)`.
pub fn seconds(instant: jiff::Timestamp) -> ParameterValue {
    ParameterValue::Int64(instant.as_second())
}

/// A parameter for `$n::uuid`.
pub fn uuid(id: uuid::Uuid) -> ParameterValue {
    ParameterValue::Uuid(id.to_string())
}

/// A parameter for `$n::date`.
pub fn date(date: jiff::civil::Date) -> ParameterValue {
    let part = |part: i8| u8::try_from(part).expect("months and days are positive");
    ParameterValue::Date((date.year().into(), part(date.month()), part(date.day())))
}

/// A parameter for `$n::text`, and for what is cast from a text.
pub fn text(text: impl ToString) -> ParameterValue {
    ParameterValue::Str(text.to_string())
}

/// A parameter that may be null.
pub fn optional<T>(
    value: Option<T>,
    parameter: impl FnOnce(T) -> ParameterValue,
) -> ParameterValue {
    value.map_or(ParameterValue::DbNull, parameter)
}

/// A parameter for `$n::jsonb`.
pub fn json(value: &impl serde::Serialize) -> ParameterValue {
    ParameterValue::Jsonb(serde_json::to_vec(value).expect("our values are maps with text keys"))
}

impl From<pg::Error> for Error {
    fn from(error: pg::Error) -> Self {
        match error {
            pg::Error::Decode(cause) => Self::Broken(cause),
            pg::Error::PgError(PgError::ConnectionFailed(_)) => Self::Unavailable,
            // Not the database's answer: the connection was lost.
            pg::Error::PgError(PgError::QueryFailed(QueryError::Text(_))) => Self::Unavailable,
            pg::Error::PgError(PgError::QueryFailed(QueryError::DbError(error))) => refused(&error),
            pg::Error::PgError(
                PgError::BadParameter(cause)
                | PgError::ValueConversionFailed(cause)
                | PgError::Other(cause),
            ) => Self::Broken(cause),
        }
    }
}

fn refused(error: &pg::DbError) -> Error {
    let broken = || Error::Broken(format!("{}: {}", error.code, error.message));
    match Refusal::of(&error.code) {
        Refusal::Unavailable => Error::Unavailable,
        Refusal::Contention => Error::Contention,
        Refusal::Constraint => {
            let mut extras = error.extras.iter();
            let constraint = extras.find(|(name, _)| name == "constraint");
            constraint.map_or_else(broken, |(_, name)| Error::Constraint(name.clone()))
        }
        Refusal::Broken => broken(),
    }
}
