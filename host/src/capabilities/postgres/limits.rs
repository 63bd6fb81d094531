//! What one component may have of PostgreSQL.

use crate::manifest::Component;
use crate::manifest::limits::{
    POSTGRES_CONNECTIONS, POSTGRES_DATABASES, POSTGRES_RESULT_BYTES, POSTGRES_RESULT_ROWS,
};

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections to one database that are in use at one time.
    pub connections_max: usize,
    /// Different databases in use at one time.
    pub databases_max: usize,
    /// A result that is given in one piece, and any one row.
    pub result_bytes_max: usize,
    /// Rows of a result that is given in one piece.
    pub result_rows_max: usize,
}

impl Limits {
    pub fn of(component: &Component) -> Self {
        let limits = &component.tool.praxis.limits;
        Self {
            connections_max: limits.count(&POSTGRES_CONNECTIONS),
            databases_max: limits.count(&POSTGRES_DATABASES),
            result_bytes_max: limits.count(&POSTGRES_RESULT_BYTES),
            result_rows_max: limits.count(&POSTGRES_RESULT_ROWS),
        }
    }
}

impl Default for Limits {
    /// Those of a component of which the manifest says nothing.
    fn default() -> Self {
        Self::of(&Component::default())
    }
}
