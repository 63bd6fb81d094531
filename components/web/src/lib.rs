//! The pages: static files inside a component. It imports nothing and decides only
//! which file answers, and whether the caller holds it already.

mod site;

use spin_sdk::http::{FullBody, HeaderMap, Method, Request, Response, StatusCode};
use spin_sdk::http_service;

use site::File;

/// The page needs nothing from elsewhere, so it may load nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const PERMISSIONS_POLICY: &str = "geolocation=(self), camera=(), microphone=(), payment=()";

/// Names carry no fingerprint, so each use asks again; the ETag makes the answer a 304.
const REVALIDATE: &str = "no-cache";

type Answer = Response<FullBody<&'static [u8]>>;

#[http_service]
async fn serve(request: Request) -> Answer {
    answer(request.method(), request.uri().path(), request.headers())
}

/// `GET` and `HEAD` of a file; 304 where `If-None-Match` names its ETag; 405 for another
/// method on a file. Any other path is 404: a page for people, problem+json under `/v1`.
fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Answer {
    let Some(file) = site::find(path) else {
        return not_found(method, path);
    };
    if method != Method::GET && method != Method::HEAD {
        return with_header(
            respond(
                StatusCode::METHOD_NOT_ALLOWED,
                &site::METHOD_NOT_ALLOWED,
                true,
            ),
            "allow",
            "GET, HEAD",
        );
    }
    let etag = file.etag();
    let held = is_held(headers, &etag);
    let status = if held {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    };
    let answer = respond(status, file, method == Method::GET && !held);
    with_header(
        with_header(answer, "cache-control", REVALIDATE),
        "etag",
        &etag,
    )
}

fn not_found(method: &Method, path: &str) -> Answer {
    let file = if path.starts_with("/v1/") {
        &site::NO_SUCH_OPERATION
    } else {
        &site::NOT_FOUND
    };
    let answer = respond(StatusCode::NOT_FOUND, file, method != Method::HEAD);
    with_header(answer, "cache-control", "no-store")
}

/// `If-None-Match` compares weakly: `W/"x"` names the same file as `"x"`.
fn is_held(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all("if-none-match")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag == etag)
}

fn respond(status: StatusCode, file: &File, with_body: bool) -> Answer {
    let body = if with_body { file.bytes } else { &[] };
    let mut answer = Response::new(FullBody::new(body));
    *answer.status_mut() = status;
    if with_body {
        answer
            .headers_mut()
            .insert("content-length", body.len().into());
    }
    let headers = [
        ("content-type", file.content_type),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("permissions-policy", PERMISSIONS_POLICY),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
    ];
    headers.into_iter().fold(answer, |answer, (name, value)| {
        with_header(answer, name, value)
    })
}

fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    let value = value.parse().expect("the values are ASCII of our own");
    answer.headers_mut().insert(name, value);
    answer
}
