//! Errors that the host answers itself: RFC 9457, `application/problem+json`.

use http::StatusCode;
use http::header::HeaderValue;

use super::Response;

/// How long a client that found no room should wait.
const RETRY_AFTER_SECONDS: &str = "1";

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    /// At most one header, by its lowercase name.
    header: Option<(&'static str, &'static str)>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str) -> Self {
        Self {
            status,
            kind,
            title,
            detail: String::new(),
            header: None,
        }
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Bad request").detail(detail)
    }

    pub fn forbidden(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Forbidden").detail(detail)
    }

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found")
            .detail("there is nothing here, or nothing that you may see")
    }

    /// For who may know what there is: `detail` says what is not.
    pub fn not_there(detail: impl Into<String>) -> Self {
        Self::not_found().detail(detail)
    }

    pub fn method_not_allowed(allowed: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
        )
        .detail(format!("allowed: {allowed}"))
        .header("allow", allowed)
    }

    pub fn not_implemented(detail: &'static str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "not-implemented",
            "Not implemented",
        )
        .detail(detail)
    }

    pub fn too_large(bytes_max: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "Body too large",
        )
        .detail(format!("a body may have {bytes_max} bytes"))
        // The rest of the body is not read.
        .header("connection", "close")
    }

    /// What is wanted does not go with what is there; `kind` says how.
    pub fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, "Not now").detail(detail)
    }

    pub fn unsupported_media_type(wanted: &'static str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "Unsupported media type",
        )
        .detail(format!("the content-type must be {wanted}"))
    }

    /// A file that can't take the component's place; `detail` says why.
    pub fn component_refused(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "component-refused",
            "The component was refused",
        )
        .detail(detail)
    }

    /// The token is missing or bad; `detail` says how (RFC 6750).
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A valid token is needed",
        )
        .detail(detail)
        .header("www-authenticate", "Bearer error=\"invalid_token\"")
    }

    /// More requests than there is room for: back-pressure, not a fault.
    pub fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy")
            .detail("too many requests at once: try again in a moment")
            .header("retry-after", RETRY_AFTER_SECONDS)
    }

    /// Something that the host itself needs can't be reached.
    pub fn unavailable(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
        )
        .detail(format!("{what} can't be reached now"))
        .header("retry-after", RETRY_AFTER_SECONDS)
    }

    /// The component did not answer in its time.
    pub fn timeout() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "Not answered in time",
        )
        .detail("the component did not answer in its time")
    }

    /// The component failed. What it was is in the log, not in the answer.
    pub fn failed(detail: &'static str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong here",
        )
        .detail(detail)
    }

    /// The component did more than `fuel_max` lets it do for one request.
    pub fn out_of_fuel() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "out-of-fuel",
            "Too much work",
        )
        .detail("the component used up what it may compute for one request")
    }

    /// The client stopped sending in the middle of a body, or sent it a drop at a time.
    pub fn body_too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            "The body did not arrive",
        )
        .detail("the request's body arrived too slowly, or not at all")
        .header("connection", "close")
    }

    pub fn into_response(self) -> Response {
        let mut body = serde_json::json!({
            "type": format!("/problems/{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
        });
        if !self.detail.is_empty() {
            body["detail"] = self.detail.into();
        }
        let mut response =
            super::response(self.status, "application/problem+json", body.to_string());
        if let Some((name, value)) = self.header {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
