//! Who is asking. The host verifies the token and hands on its claims; what they may do is
//! decided in the components.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use spin_sdk::http::HeaderMap;

use crate::problem::Problem;

/// Set by the host alone, which strips it from what arrives.
pub const CLAIMS_HEADER: &str = "praxis-claims";

/// What somebody may be; one may be several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Patient,
    Practitioner,
    /// Of the tenant in the claims.
    Staff,
    Operator,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Practitioner => "practitioner",
            Self::Staff => "staff",
            Self::Operator => "operator",
        }
    }
}

/// The verified claims of a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    pub sub: String,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default)]
    pub tenant: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub phone_number: Option<String>,
    #[serde(default)]
    pub locale: Option<String>,
    /// Seconds since 1970, perhaps with a fraction.
    #[serde(default)]
    pub iat: Option<serde_json::Number>,
}

impl Claims {
    /// None where no token came with the request.
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(header) = headers.get(CLAIMS_HEADER) else {
            return Ok(None);
        };
        let unreadable = || Problem::internal("the host's praxis-claims can't be read");
        let json = URL_SAFE_NO_PAD
            .decode(header.as_bytes())
            .map_err(|_| unreadable())?;
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|_| unreadable())
    }

    pub fn is(&self, role: Role) -> bool {
        self.roles.iter().any(|name| name == role.name())
    }

    /// 403 where the caller has none of the roles.
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.iter().any(|role| self.is(*role)) {
            return Ok(());
        }
        let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
        Err(Problem::forbidden(format!(
            "this takes the role {}",
            names.join(" or ")
        )))
    }

    /// When the token was issued, in whole seconds since 1970, if it says so.
    pub fn issued(&self) -> Option<i64> {
        let issued = self.iat.as_ref()?;
        issued.as_i64().or_else(|| {
            let seconds = issued.as_f64()?.floor();
            // Exact for any instant that a calendar knows.
            (seconds.abs() < 1e15).then_some(seconds as i64)
        })
    }

    /// The tenant that the caller works for as staff.
    pub fn staff_of(&self) -> Option<&str> {
        self.tenant.as_deref().filter(|_| self.is(Role::Staff))
    }

    /// 404 where the caller is not staff of the tenant: what they may not see is not there.
    pub fn require_staff_of(&self, tenant: &str) -> Result<(), Problem> {
        if self.staff_of() == Some(tenant) {
            Ok(())
        } else {
            Err(Problem::not_found())
        }
    }
}
