//! The statements that make somebody nobody, as the booking component runs them: in one transaction.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use crate::practice::NO_TRACE;

const NOTE_ERASURE: &str = include_str!("../../../components/booking/src/sql/note_erasure.sql");
const LOCK_PATIENT: &str = include_str!("../../../components/booking/src/sql/lock_patient.sql");
const DROP_WAITING: &str = include_str!("../../../components/booking/src/sql/drop_waiting.sql");
const ERASE_PATIENT: &str = include_str!("../../../components/booking/src/sql/erase_patient.sql");
const DROP_RECEIPTS: &str = include_str!("../../../components/booking/src/sql/drop_receipts.sql");

/// In their order.
pub fn statements(subject: &str) -> Vec<Query<'static, Postgres, PgArguments>> {
    let plain = |statement| sqlx::query(statement).bind(subject.to_owned());
    vec![
        plain(NOTE_ERASURE),
        plain(LOCK_PATIENT),
        plain(DROP_WAITING),
        plain(ERASE_PATIENT).bind(NO_TRACE),
        plain(DROP_RECEIPTS),
    ]
}
