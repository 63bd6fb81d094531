//! Who changes a booking, as its history names them.

use praxis_platform::auth::Claims;
use praxis_platform::database::{self, ParameterValue};
use uuid::Uuid;

/// `role:who`. Staff and practitioners by the `sub` of their token; a patient by their id, which tells
/// of nobody once they are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    pub fn patient(id: Uuid) -> Self {
        Self(format!("patient:{id}"))
    }

    /// Whoever has the link that was sent to the patient.
    pub fn link(patient: Uuid) -> Self {
        Self(format!("link:{patient}"))
    }

    pub fn practitioner(claims: &Claims) -> Self {
        Self(format!("practitioner:{}", claims.sub))
    }

    pub fn staff(claims: &Claims) -> Self {
        Self(format!("staff:{}", claims.sub))
    }

    /// The parameter for `changed_by`.
    pub fn parameter(&self) -> ParameterValue {
        database::text(&self.0)
    }
}
