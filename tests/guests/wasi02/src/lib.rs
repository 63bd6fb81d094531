//! A component of WASI 0.2: the host serves it beside those of 0.3.
//!
//! `/fetch` asks the address in the header `probe-url`, `/impatient` does so with 100 ms for each
//! step, `/headers` says which headers came, and every other path is only repeated.

use std::io::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, IncomingResponse, OutgoingBody, OutgoingRequest,
    OutgoingResponse, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

struct Component;

wasip2::http::proxy::export!(Component);

const STEP_NANOSECONDS: u64 = 100_000_000;
const CHUNK_BYTES: u64 = 65_536;

impl Guest for Component {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let text = match path.as_str() {
            "/fetch" => told(fetch(&request, None)),
            "/impatient" => told(fetch(&request, Some(STEP_NANOSECONDS))),
            "/headers" => names(&request),
            path => format!("WASI 0.2 saw {path}"),
        };
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("a body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let mut stream = body.write().expect("a body is written once");
        write!(stream, "{text}").expect("the host reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("no length was promised");
    }
}

fn told(outcome: Result<String, ErrorCode>) -> String {
    outcome.unwrap_or_else(|error| format!("refused: {error:?}"))
}

fn names(request: &IncomingRequest) -> String {
    let entries = request.headers().entries();
    let mut names: Vec<_> = entries.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.join(" ")
}

fn fetch(request: &IncomingRequest, limit: Option<u64>) -> Result<String, ErrorCode> {
    let url = request.headers().get("probe-url").concat();
    let url = String::from_utf8(url).expect("an address is text");
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url.as_str()));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let outgoing = OutgoingRequest::new(Fields::new());
    let scheme = match scheme {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        _ => None,
    };
    outgoing
        .set_scheme(scheme.as_ref())
        .expect("a scheme of http");
    let authority = (!authority.is_empty()).then_some(authority);
    let malformed = |()| ErrorCode::HttpRequestUriInvalid;
    outgoing.set_authority(authority).map_err(malformed)?;
    outgoing
        .set_path_with_query(Some(path))
        .map_err(malformed)?;

    let options = RequestOptions::new();
    if limit.is_some() {
        options.set_connect_timeout(limit).expect("it is supported");
        options
            .set_first_byte_timeout(limit)
            .expect("it is supported");
        options
            .set_between_bytes_timeout(limit)
            .expect("it is supported");
    }
    let pending = outgoing_handler::handle(outgoing, Some(options))?;
    pending.subscribe().block();
    let response = pending
        .get()
        .expect("it is ready")
        .expect("it is taken once")?;
    Ok(format!("{} {}", response.status(), text(response)))
}

fn text(response: IncomingResponse) -> String {
    let body = response.consume().expect("a body is taken once");
    let stream = body.stream().expect("a body is read once");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK_BYTES) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => return String::from_utf8_lossy(&bytes).into_owned(),
            Err(StreamError::LastOperationFailed(error)) => {
                return format!("broken: {}", error.to_debug_string());
            }
        }
    }
}
