//! A component of WASI 0.2: the host serves it beside those of 0.3.

use std::io::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Component;

wasip2::http::proxy::export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("a body is taken once");
        ResponseOutparam::set(answer, Ok(response));
        let mut stream = body.write().expect("a body is written once");
        write!(stream, "WASI 0.2 saw {path}").expect("the host reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("no length was promised");
    }
}
