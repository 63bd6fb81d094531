//! The consumer that does nothing, for `benches`, with many events at once.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

use bindings::exports::praxis::events::batch_consumer::{Delivery, Failure, Guest};

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../../wit/events", "../../../wit/index", "../../../wit/delivery", "../../../wit/template", "../../../wit/metrics", "../../../wit/worlds"],
        world: "praxis:worlds/event-batch-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

struct Consumer;
bindings::export!(Consumer with_types_in bindings);

impl Guest for Consumer {
    async fn handle_batch(deliveries: Vec<Delivery>) -> Vec<Result<(), Failure>> {
        vec![Ok(()); deliveries.len()]
    }
}
