//! Documents that can be searched: `praxis:index`.

pub use crate::imports::praxis::index::documents;
pub use crate::imports::praxis::index::generations;
pub use crate::imports::praxis::index::search;
pub use crate::imports::praxis::index::types::{Error, Field, GeoPoint, Value};

use crate::problem::Problem;
use crate::rebuild;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable => Self::unavailable("the search index can't be reached now"),
            Error::Invalid(limit) => Self::bad_request(limit),
            Error::NotGranted(name) => Self::internal(&format!("the index {name} is not granted")),
            Error::Conflict(which) => rebuild::conflict(which),
            Error::BadField(field) => Self::internal(&format!("the index has no field {field}")),
        }
    }
}
