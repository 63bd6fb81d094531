//! Where anything personal of a guest stands: in any column of any table, and in any event.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, PgConnection};

use crate::town::{self, GUEST_PHONES, GUESTS};

pub type Traces = BTreeMap<String, BTreeSet<String>>;

const COLUMNS: &str = "
    select c.table_name::text, c.column_name::text, c.data_type::text
    from information_schema.columns c
    join information_schema.tables t
        on t.table_schema = c.table_schema and t.table_name = c.table_name
    where c.table_schema = 'public'
        and t.table_type = 'BASE TABLE'
        -- The test's own.
        and c.table_name not like 'torture\\_%'
    order by 1, 2";

/// By table, but for the test's own.
pub async fn in_tables(connection: &mut PgConnection) -> anyhow::Result<Traces> {
    let columns: Vec<(String, String, String)> =
        sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await?;
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column, kind) in columns {
        let text = match kind.as_str() {
            "bytea" => format!("encode(\"{column}\", 'escape')"),
            _ => format!("\"{column}\"::text"),
        };
        tables.entry(table).or_default().push(text);
    }
    let mut traces = Traces::new();
    for (table, columns) in tables {
        let text = columns.join(", ");
        let pattern = format!("(?:{GUESTS}|\\+{})([0-9]{{6}})", &GUEST_PHONES[1..]);
        // Of the schema's own names.
        let found = AssertSqlSafe(format!(
            "select distinct (regexp_matches(concat_ws(' ', {text}), $1, 'g'))[1] from \"{table}\""
        ));
        let found: Vec<String> = sqlx::query_scalar(found)
            .bind(pattern)
            .fetch_all(&mut *connection)
            .await?;
        for number in found {
            note(&mut traces, &number, &table);
        }
    }
    Ok(traces)
}

/// In the text of an event of a topic.
pub fn in_event(traces: &mut Traces, topic: &str, text: &str) {
    for mark in [GUESTS, GUEST_PHONES] {
        for (at, _) in text.match_indices(mark) {
            let number: String = text[at + mark.len()..].chars().take(6).collect();
            note(traces, &number, topic);
        }
    }
}

fn note(traces: &mut Traces, number: &str, place: &str) {
    if let Ok(number) = number.parse() {
        let places = traces.entry(town::guest(number)).or_default();
        places.insert(place.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_found_by_name_address_and_phone() {
        let claims = town::guest_claims(17);
        for field in ["sub", "name", "email", "phone_number"] {
            let mut traces = Traces::new();
            let event = format!("{{\"{field}\": {}}}", claims[field]);
            in_event(&mut traces, "booking-events", &event);
            assert!(traces.contains_key(&town::guest(17)), "{event}");
        }
        let mut traces = Traces::new();
        in_event(&mut traces, "booking-events", "{\"local_hour\": 9}");
        assert_eq!(traces, Traces::new());
    }
}
