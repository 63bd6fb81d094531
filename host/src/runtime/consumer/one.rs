//! `praxis:events/consumer`: one event, one call.

use praxis_wasi::State;
use wasmtime::Store;

use self::bindings::exports::praxis::events::consumer as wit;
use super::export::Interface;
use super::{Delivery, Outcome};
use crate::capabilities::events::producer::Publications;
use crate::runtime::room;
use crate::runtime::spare::Answered;

pub mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/events"],
        inline: "
            package praxis:host-consumer;
            world consumer {
                export praxis:events/consumer@0.1.0;
            }
        ",
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

pub use self::bindings::praxis::events::types;

pub type ConsumerPre = bindings::ConsumerPre<State>;

impl room::Linked for ConsumerPre {
    type Instance = bindings::Consumer;

    async fn instantiate(&self, store: &mut Store<State>) -> wasmtime::Result<bindings::Consumer> {
        self.instantiate_async(store).await
    }
}

impl Interface for ConsumerPre {
    type Given = wit::Delivery;
    type Answer = Outcome;

    fn furnish(state: &mut State) {
        state.attach(Publications::default());
    }

    async fn call(
        store: &mut Store<State>,
        exports: &bindings::Consumer,
        delivery: wit::Delivery,
    ) -> wasmtime::Result<Answered<Outcome>> {
        let called = store
            .run_concurrent(async |accessor| {
                let consumer = exports.praxis_events_consumer();
                let answer = consumer.call_handle(accessor, delivery).await?;
                wasmtime::error::Ok(Answered::now(answer, accessor).await)
            })
            .await??;
        // Taken whatever the answer is: they must not be there when the next event is handled.
        let (publications, _) = store.data_mut().part::<Publications>();
        let publications = std::mem::take(&mut publications.kept);
        let answer = match called.answer {
            Ok(()) => Outcome::Done(publications),
            Err(failure) => failure.into(),
        };
        Ok(Answered {
            answer,
            is_at_rest: called.is_at_rest,
        })
    }
}

impl From<types::Failure> for Outcome {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::Retry(reason) => Self::Retry(reason),
            types::Failure::Reject(reason) => Self::Reject(reason),
        }
    }
}

impl From<&Delivery> for types::Delivery {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.clone(),
            source: delivery.source.clone(),
            time_ms: delivery.time_ms,
            topic: delivery.topic.clone(),
            partition: delivery.partition,
            offset: delivery.offset,
            attempt: delivery.attempt,
            traceparent: delivery.traceparent.clone(),
            event: types::Event {
                kind: delivery.event.kind.clone(),
                key: delivery.event.key.clone(),
                stream_version: delivery.event.stream_version,
                data: delivery.event.data.clone(),
            },
        }
    }
}
