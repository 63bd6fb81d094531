//! A component that says which version it is. The tests make a second one by writing another name
//! over the first in the file.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

use std::sync::atomic::{AtomicU32, Ordering};

use spin_sdk::http::{BoxBody, Request, Response, box_body};
use spin_sdk::http_service;
use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::spawn;

use bindings::exports::praxis::events::consumer::{Delivery, Failure, Guest};

/// The name is as long as any other that is written over it.
const VERSION: &str = "version-1";
/// How long the event `Slow` takes, and what `/later` and the event `Later` do after their answers.
const SLOW_NS: u64 = 1_000_000_000;

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../../wit/events", "../../../wit/index", "../../../wit/delivery", "../../../wit/template", "../../../wit/metrics", "../../../wit/worlds"],
        world: "praxis:worlds/event-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// `/` says the version, and so does `/later`, which goes on after its answer; what is sent to
/// `/echo` is sent back, piece by piece, after the version.
#[http_service]
async fn serve(request: Request) -> Response<BoxBody> {
    let body = match request.uri().path() {
        "/echo" => box_body(request.into_body()),
        "/later" => {
            spawn(async { monotonic_clock::wait_for(SLOW_NS).await });
            box_body(VERSION.to_owned())
        }
        _ => box_body(VERSION.to_owned()),
    };
    let mut response = Response::new(body);
    let version = VERSION.parse().expect("it is ASCII");
    response.headers_mut().insert("version", version);
    response
}

static COUNTED: AtomicU32 = AtomicU32::new(0);

struct Consumer;
bindings::export!(Consumer with_types_in bindings);

impl Guest for Consumer {
    /// Rejects every event with the version as the reason, except for some.
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        match delivery.event.kind.as_str() {
            "Slow" => monotonic_clock::wait_for(SLOW_NS).await,
            // How many of these this instance has had.
            "Counted" => {
                let before = COUNTED.fetch_add(1, Ordering::Relaxed);
                return Err(Failure::Reject((before + 1).to_string()));
            }
            "Later" => spawn(async { monotonic_clock::wait_for(SLOW_NS).await }),
            "Trap" => panic!("on purpose"),
            "Done" => return Ok(()),
            _ => {}
        }
        Err(Failure::Reject(VERSION.to_owned()))
    }
}
