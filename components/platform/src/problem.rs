//! Errors over HTTP: RFC 9457, `application/problem+json`.

use praxis_domain::FieldError;
use serde_json::{Map, Value, json};
use spin_sdk::http::StatusCode;

use crate::{cache, database};

/// Why a request failed, for the caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    /// Stable: what a program matches on. `/problems/slot-taken`
    kind: &'static str,
    title: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    /// A header and its value: `Allow`, `WWW-Authenticate`, `Retry-After`.
    header: Option<(&'static str, &'static str)>,
}

impl Problem {
    /// A problem of a kind of its own.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            errors: Vec::new(),
            extensions: Map::new(),
            header: None,
        }
    }

    /// 400, of the request as a whole.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "/problems/bad-request",
            "The request is not valid",
            detail,
        )
    }

    /// 400, of some of its fields.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::bad_request(match errors.as_slice() {
            [error] => format!("{} {}", error.pointer, error.detail)
                .trim()
                .to_owned(),
            errors => format!("{} fields are not valid", errors.len()),
        });
        problem.errors = errors;
        problem
    }

    /// 400, of one field.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(pointer, detail)])
    }

    pub fn unauthorized() -> Self {
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "/problems/unauthorized",
            "A token is needed",
            "send Authorization: Bearer with a valid token",
        );
        problem.header = Some(("www-authenticate", "Bearer"));
        problem
    }

    /// 403: the caller may know that it is there, but may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "/problems/forbidden",
            "Not allowed",
            detail,
        )
    }

    /// 404, also for what the caller may not see.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "/problems/not-found",
            "Not found",
            "there is nothing here that you may see",
        )
    }

    /// 405; `allow` is the header's value: `GET, POST`.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let mut problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "/problems/method-not-allowed",
            "No such method here",
            format!("allowed are {allow}"),
        );
        problem.header = Some(("allow", allow));
        problem
    }

    /// 412.
    pub fn version_conflict(current: i64) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "/problems/version-conflict",
            "It has changed in the meantime",
            "get it again, and decide again",
        )
        .with("current_version", current)
    }

    /// 413.
    pub fn too_large(bytes_max: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "/problems/body-too-large",
            "The body is too large",
            format!("{bytes_max} bytes at most"),
        )
    }

    /// 503: try later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "/problems/unavailable",
            "Not available now",
            detail,
        );
        problem.header = Some(("retry-after", "1"));
        problem
    }

    /// 500. The cause is logged here, and not told.
    pub fn internal(cause: &str) -> Self {
        eprintln!("internal error: {cause}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "/problems/internal",
            "Something went wrong here",
            "it is logged",
        )
    }

    /// Adds a member of this kind's own.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// The field that it is about.
    pub fn at(mut self, pointer: &str) -> Self {
        self.errors
            .push(FieldError::new(pointer, self.detail.clone()));
        self
    }

    /// Whether it says that something else came first: 409 or 412.
    pub fn is_conflict(&self) -> bool {
        [StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED].contains(&self.status)
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn header(&self) -> Option<(&'static str, &'static str)> {
        self.header
    }

    pub fn body(&self) -> Value {
        let mut body = self.extensions.clone();
        body.insert("type".into(), self.kind.into());
        body.insert("title".into(), self.title.into());
        body.insert("status".into(), self.status.as_u16().into());
        body.insert("detail".into(), self.detail.clone().into());
        if !self.errors.is_empty() {
            body.insert("errors".into(), json!(self.errors));
        }
        Value::Object(body)
    }
}

impl From<database::Error> for Problem {
    fn from(error: database::Error) -> Self {
        match error {
            database::Error::Unavailable => Self::unavailable("the database can't be reached now"),
            database::Error::Contention => Self::unavailable("too many changes at once: try again"),
            database::Error::Constraint(_) | database::Error::Broken(_) => {
                Self::internal(&error.to_string())
            }
        }
    }
}

impl From<cache::Error> for Problem {
    fn from(error: cache::Error) -> Self {
        match error {
            cache::Error::Unavailable => Self::unavailable("the cache can't be reached now"),
            cache::Error::Broken(cause) => Self::internal(&cause),
        }
    }
}
