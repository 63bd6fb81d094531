//! What is kept of an event. Faults are of the database: they pass, so they are for a retry.

use serde::Serialize;
use spin_sdk::pg::{Connection, ParameterValue};
use spin_sdk::variables;

use crate::deed::Step;

/// The run's own function, so that many effects are one statement.
const RECORD: &str = "select record_effects($1, $2)";

const NOTE: &str = "
    insert into mishaps (component, event_id, attempt, step)
    values ($1, $2, $3, $4)";

/// Only what was redriven: the event itself, should it be delivered again, is rejected as before.
const PARDONED: &str = r#"
    select exists (
        select
        from pardons
        where component = $1 and event_id = $2 and "offset" < $3
    ) as pardoned"#;

/// What is recorded of an event.
#[derive(Clone, Serialize)]
pub struct Fact {
    pub id: String,
    /// A copy is told from a redelivery by its number: 0 is the only right one.
    pub copy: i32,
    pub key: String,
    pub sequence: i64,
    pub partition: i64,
    pub offset: i64,
    pub attempt: i32,
    /// It was rejected first, and comes after later events of its key.
    pub late: bool,
}

pub struct Database {
    connection: Connection,
    /// Whose effects they are.
    component: &'static str,
}

impl Database {
    pub async fn open(component: &'static str) -> Result<Self, String> {
        let url = variables::get("database_url").await;
        let url = url.map_err(|error| error.to_string())?;
        let connection = Connection::open(url).await;
        let connection = connection.map_err(|error| error.to_string())?;
        Ok(Self {
            connection,
            component,
        })
    }

    /// All of them or none, in this order.
    pub async fn record(&self, facts: &[Fact]) -> Result<(), String> {
        let facts = serde_json::to_vec(facts).map_err(|error| error.to_string())?;
        self.execute(RECORD, vec![ParameterValue::Jsonb(facts)])
            .await
    }

    /// That the event is about to be mishandled.
    pub async fn note(&self, fact: &Fact, step: Step) -> Result<(), String> {
        let parameters = vec![
            ParameterValue::Uuid(fact.id.clone()),
            ParameterValue::Int32(fact.attempt),
            ParameterValue::Str(format!("{step:?}")),
        ];
        self.execute(NOTE, parameters).await
    }

    pub async fn is_pardoned(&self, fact: &Fact) -> Result<bool, String> {
        let parameters = vec![
            ParameterValue::Str(self.component.to_owned()),
            ParameterValue::Uuid(fact.id.clone()),
            ParameterValue::Int64(fact.offset),
        ];
        let found = self.connection.query(PARDONED, parameters).await;
        let found = found.map_err(|error| error.to_string())?;
        let rows = found.collect().await.map_err(|error| error.to_string())?;
        let pardoned = rows.first().and_then(|row| row.get::<bool>("pardoned"));
        pardoned.ok_or_else(|| "the database did not say whether it is pardoned".to_owned())
    }

    async fn execute(&self, statement: &str, rest: Vec<ParameterValue>) -> Result<(), String> {
        let mut values = vec![ParameterValue::Str(self.component.to_owned())];
        values.extend(rest);
        let executed = self.connection.execute(statement, values).await;
        executed.map(drop).map_err(|error| error.to_string())
    }
}
