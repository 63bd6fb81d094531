//! The consumer that does nothing, for `benches`: what is left is what an event costs the host. Of an
//! event of the kind `Timed` it prints the stream version and when it was called.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

use spin_sdk::wasip3::clocks::system_clock;

use bindings::exports::praxis::events::consumer::{Delivery, Failure, Guest};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../../wit/events", "../../../wit/index", "../../../wit/delivery", "../../../wit/template", "../../../wit/metrics", "../../../wit/worlds"],
        world: "praxis:worlds/event-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

struct Consumer;
bindings::export!(Consumer with_types_in bindings);

impl Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        let event = delivery.event;
        if event.kind == "Timed" {
            let now = system_clock::now();
            println!(
                "timed {} {}.{:09}",
                event.stream_version, now.seconds, now.nanoseconds
            );
        }
        Ok(())
    }
}
