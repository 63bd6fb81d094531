//! The consumer of the fault run (`tests/faults`): it keeps in PostgreSQL what it handled,
//! publishes an event for each one, and misbehaves as an event tells it to. With the variable
//! `broken` it does wrong on purpose.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

mod broken;
mod deed;
mod effect;

use spin_sdk::wasip3::clocks::monotonic_clock;

use bindings::exports::praxis::events::consumer::{Delivery, Failure, Guest};
use bindings::praxis::events::producer;
use bindings::praxis::events::types::Event;
use broken::{Mark, Wrong};
use deed::{Deed, SLOW_NS, STALL_NS, Step, TOLD};
use effect::{Database, Fact};

const NAME: &str = "recorder";
const FOLLOW_UPS: &str = "echoes";
const FOLLOW_UP_KIND: &str = "DeedEchoed";

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../../wit/events", "../../../wit/index", "../../../wit/delivery", "../../../wit/template", "../../../wit/metrics", "../../../wit/worlds"],
        inline: "
            package praxis:recorder;

            world recorder {
                include praxis:worlds/event-consumer@0.1.0;
                import praxis:events/producer@0.1.0;
            }
        ",
        world: "praxis:recorder/recorder",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

struct Consumer;
bindings::export!(Consumer with_types_in bindings);

impl Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        let deed = Deed::read(&delivery.event.data).map_err(Failure::Reject)?;
        let mark = broken::mark(&delivery.event.data).await;
        let mark = mark.map_err(Failure::Retry)?;
        let database = Database::open(NAME).await.map_err(Failure::Retry)?;
        let step = deed.step(delivery.attempt);
        let mut fact = Fact {
            id: delivery.id,
            copy: 0,
            key: delivery.event.key,
            sequence: delivery.event.stream_version.cast_signed(),
            partition: delivery.partition.into(),
            offset: delivery.offset.cast_signed(),
            attempt: delivery.attempt.cast_signed(),
            late: false,
        };
        // Before all that may go wrong: of a try that fails, nothing is to be released.
        for _ in 0..follow_ups(mark.as_ref()) {
            follow_up(&fact).await?;
        }
        if step != Step::Ok {
            let noted = database.note(&fact, step).await;
            noted.map_err(Failure::Retry)?;
        }
        match step {
            Step::Ok | Step::LateTrap => {}
            Step::Slow => monotonic_clock::wait_for(SLOW_NS).await,
            Step::Retry => return Err(Failure::Retry(TOLD.to_owned())),
            Step::Reject => {
                let pardoned = database.is_pardoned(&fact).await;
                fact.late = pardoned.map_err(Failure::Retry)?;
                if !fact.late {
                    return Err(Failure::Reject(TOLD.to_owned()));
                }
            }
            Step::Trap => panic!("{TOLD}"),
            Step::Stall => monotonic_clock::wait_for(STALL_NS).await,
        }
        let facts = facts(fact, mark.as_ref());
        if !facts.is_empty() {
            database.record(&facts).await.map_err(Failure::Retry)?;
        }
        assert!(step != Step::LateTrap, "{TOLD}");
        Ok(())
    }
}

/// How many events are published for one; 1 but for a broken consumer.
fn follow_ups(mark: Option<&Mark>) -> usize {
    match mark {
        Some(Mark {
            wrong: Wrong::Skip | Wrong::Mute,
            previous: None,
        }) => 0,
        Some(Mark {
            wrong: Wrong::Chatter,
            previous: None,
        }) => 2,
        Some(_) | None => 1,
    }
}

/// An event that says of which event and at which try it was published.
async fn follow_up(fact: &Fact) -> Result<(), Failure> {
    let data = serde_json::json!({ "of": fact.id, "attempt": fact.attempt });
    let event = Event {
        kind: FOLLOW_UP_KIND.to_owned(),
        key: fact.key.clone(),
        stream_version: fact.sequence.unsigned_abs(),
        data: data.to_string(),
    };
    let published = producer::publish(FOLLOW_UPS.to_owned(), event).await;
    published.map_err(|error| Failure::Retry(format!("could not publish: {error:?}")))
}

/// The effect of an event, or what a broken consumer makes of it.
fn facts(fact: Fact, mark: Option<&Mark>) -> Vec<Fact> {
    let Some(Mark { wrong, previous }) = mark else {
        return vec![fact];
    };
    match (wrong, previous) {
        (Wrong::Skip | Wrong::Swap, None) => Vec::new(),
        (Wrong::Swap, Some(previous)) => {
            let late = Fact {
                id: previous.clone(),
                sequence: fact.sequence - 1,
                ..fact.clone()
            };
            vec![fact, late]
        }
        (Wrong::Twice, None) => {
            let copy = Fact {
                copy: 1,
                ..fact.clone()
            };
            vec![fact, copy]
        }
        (Wrong::Skip | Wrong::Twice | Wrong::Mute | Wrong::Chatter, _) => vec![fact],
    }
}
