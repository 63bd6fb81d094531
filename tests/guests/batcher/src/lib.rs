//! The other consumer of the fault run (`tests/faults`): as `recorder`, but it takes many events with
//! one call, and publishes nothing.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

#[path = "../../recorder/src/deed.rs"]
mod deed;
#[path = "../../recorder/src/effect.rs"]
mod effect;

use spin_sdk::wasip3::clocks::monotonic_clock;

use bindings::exports::praxis::events::batch_consumer::{Delivery, Failure, Guest};
use deed::{Deed, SLOW_NS, STALL_NS, Step, TOLD};
use effect::{Database, Fact};

const NAME: &str = "batcher";
const BEHIND: &str = "an earlier one of its key has to be tried again";

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
        let count = deliveries.len();
        match handle(deliveries).await {
            Ok(answers) => answers,
            Err(reason) => vec![Err(Failure::Retry(reason)); count],
        }
    }
}

/// Answers for each; an error is for all of them, and none has had an effect.
async fn handle(deliveries: Vec<Delivery>) -> Result<Vec<Result<(), Failure>>, String> {
    let database = Database::open(NAME).await?;
    let mut answers = Vec::with_capacity(deliveries.len());
    let mut facts = Vec::with_capacity(deliveries.len());
    let mut held_back: Vec<String> = Vec::new();
    let mut traps = false;
    for delivery in deliveries {
        let key = delivery.event.key.clone();
        let answer = match held_back.contains(&key) {
            true => Err(Failure::Retry(BEHIND.to_owned())),
            false => match answer(&database, delivery).await? {
                Answer::Effect(fact, step) => {
                    traps |= step == Step::LateTrap;
                    facts.push(fact);
                    Ok(())
                }
                Answer::Failure(failure) => Err(failure),
            },
        };
        // What comes after one that is tried again must not have its effect before it.
        if matches!(answer, Err(Failure::Retry(_))) {
            held_back.push(key);
        }
        answers.push(answer);
    }
    if !facts.is_empty() {
        database.record(&facts).await?;
    }
    assert!(!traps, "{TOLD}");
    Ok(answers)
}

enum Answer {
    /// It is to be recorded.
    Effect(Fact, Step),
    Failure(Failure),
}

async fn answer(database: &Database, delivery: Delivery) -> Result<Answer, String> {
    let step = match Deed::read(&delivery.event.data) {
        Ok(deed) => deed.step(delivery.attempt),
        Err(odd) => return Ok(Answer::Failure(Failure::Reject(odd))),
    };
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
    if step != Step::Ok {
        database.note(&fact, step).await?;
    }
    match step {
        Step::Ok | Step::LateTrap => {}
        Step::Slow => monotonic_clock::wait_for(SLOW_NS).await,
        Step::Retry => return Ok(Answer::Failure(Failure::Retry(TOLD.to_owned()))),
        Step::Reject => {
            fact.late = database.is_pardoned(&fact).await?;
            if !fact.late {
                return Ok(Answer::Failure(Failure::Reject(TOLD.to_owned())));
            }
        }
        Step::Trap => panic!("{TOLD}"),
        Step::Stall => monotonic_clock::wait_for(STALL_NS).await,
    }
    Ok(Answer::Effect(fact, step))
}
