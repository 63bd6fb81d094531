//! `praxis:events/batch-consumer`: many events, one call.

use praxis_wasi::State;
use wasmtime::Store;

use super::export::{Export, Interface};
use super::one::types;
use super::{Delivery, Outcome};
use crate::capabilities::events::producer::Publications;
use crate::runtime::room;
use crate::runtime::spare::Answered;

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/events"],
        inline: "
            package praxis:host-batch-consumer;
            world batch-consumer {
                export praxis:events/batch-consumer@0.1.0;
            }
        ",
        with: { "praxis:events/types": crate::runtime::consumer::one::types },
        exports: { default: async | store },
        require_store_data_send: true,
    });
}

pub type BatchConsumerPre = bindings::BatchConsumerPre<State>;

/// The component's answers, one for each delivery.
pub async fn handle(export: &Export<BatchConsumerPre>, deliveries: &[&Delivery]) -> Vec<Outcome> {
    let given = deliveries
        .iter()
        .map(|delivery| (*delivery).into())
        .collect();
    match export.handle(given).await {
        Ok(answers) if answers.len() == deliveries.len() => answers,
        Ok(answers) => {
            let counts = (answers.len(), deliveries.len());
            let fault = format!("it gave {} answers for {} events", counts.0, counts.1);
            vec![Outcome::Fault(fault); deliveries.len()]
        }
        Err(unanswered) => vec![unanswered.into(); deliveries.len()],
    }
}

impl room::Linked for BatchConsumerPre {
    type Instance = bindings::BatchConsumer;

    async fn instantiate(
        &self,
        store: &mut Store<State>,
    ) -> wasmtime::Result<bindings::BatchConsumer> {
        self.instantiate_async(store).await
    }
}

impl Interface for BatchConsumerPre {
    type Given = Vec<types::Delivery>;
    type Answer = Vec<Outcome>;

    fn furnish(state: &mut State) {
        state.attach(Publications::refused());
    }

    async fn call(
        store: &mut Store<State>,
        exports: &bindings::BatchConsumer,
        deliveries: Vec<types::Delivery>,
    ) -> wasmtime::Result<Answered<Vec<Outcome>>> {
        let called = store
            .run_concurrent(async |accessor| {
                let consumer = exports.praxis_events_batch_consumer();
                let answers = consumer.call_handle_batch(accessor, deliveries).await?;
                wasmtime::error::Ok(Answered::now(answers, accessor).await)
            })
            .await??;
        let outcomes = called.answer.into_iter().map(|answer| match answer {
            Ok(()) => Outcome::Done(Vec::new()),
            Err(failure) => failure.into(),
        });
        Ok(Answered {
            answer: outcomes.collect(),
            is_at_rest: called.is_at_rest,
        })
    }
}
