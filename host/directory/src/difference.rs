//! What a copy says that the database does not.

use std::fmt;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Difference {
    pub practitioner_id: String,
    store: String,
    what: String,
    expected: String,
    found: String,
    /// Only an audit heals.
    #[serde(default)]
    pub healed: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            practitioner_id,
            store,
            what,
            expected,
            found,
            healed,
        } = self;
        let outcome = if *healed { " (healed)" } else { "" };
        write!(
            f,
            "{practitioner_id} {store}: {what}: expected {expected}, found {found}{outcome}"
        )
    }
}
