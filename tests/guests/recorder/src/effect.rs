//! What is kept of an event. Faults are of the database: they pass, so they are for a retry.

use spin_sdk::pg::{Connection, ParameterValue};
use spin_sdk::variables;

/// A copy is told from a redelivery by its number: 0 is the only right one. The total follows the
/// order of the events, as the checker's model does.
const RECORD: &str = "
    with effect as (
        insert into effects (event_id, copy, key, sequence, attempt)
        values ($1, $2, $3, $4, $5)
        on conflict (event_id, copy) do update
        set deliveries = effects.deliveries + 1
        returning key, sequence, deliveries
    )
    insert into totals (key, digest, applied)
    select key, sequence % 1000000007, 1
    from effect
    where deliveries = 1
    on conflict (key) do update
    set
        digest = (totals.digest * 31 + excluded.digest) % 1000000007,
        applied = totals.applied + 1";

const NOTE: &str = "
    insert into mishaps (event_id, attempt, step)
    values ($1, $2, $3)";

/// What is recorded of an event.
pub struct Fact {
    pub id: String,
    pub key: String,
    pub sequence: i64,
    pub attempt: i32,
}

pub struct Database(Connection);

impl Database {
    pub async fn open() -> Result<Self, String> {
        let url = variables::get("database_url").await;
        let url = url.map_err(|error| error.to_string())?;
        let connection = Connection::open(url).await;
        connection.map(Self).map_err(|error| error.to_string())
    }

    pub async fn record(&self, fact: &Fact, copy: i32) -> Result<(), String> {
        let parameters = vec![
            ParameterValue::Uuid(fact.id.clone()),
            ParameterValue::Int32(copy),
            ParameterValue::Str(fact.key.clone()),
            ParameterValue::Int64(fact.sequence),
            ParameterValue::Int32(fact.attempt),
        ];
        self.execute(RECORD, parameters).await
    }

    /// That the event is about to be mishandled.
    pub async fn note(&self, fact: &Fact, step: &str) -> Result<(), String> {
        let parameters = vec![
            ParameterValue::Uuid(fact.id.clone()),
            ParameterValue::Int32(fact.attempt),
            ParameterValue::Str(step.to_owned()),
        ];
        self.execute(NOTE, parameters).await
    }

    async fn execute(&self, statement: &str, values: Vec<ParameterValue>) -> Result<(), String> {
        let executed = self.0.execute(statement, values).await;
        executed.map(drop).map_err(|error| error.to_string())
    }
}
