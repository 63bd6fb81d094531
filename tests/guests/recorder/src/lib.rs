//! The consumer of the fault run (`tests/faults`): it keeps in PostgreSQL what it handled, and
//! misbehaves as an event tells it to. With the variable `broken` it does wrong on purpose, so that
//! the run can show that it notices.

#![expect(unsafe_code, reason = "what exports an interface is generated")]

mod effect;

use serde::Deserialize;
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::monotonic_clock;

use bindings::exports::praxis::events::consumer::{Delivery, Failure, Guest};
use effect::{Database, Fact};

/// Longer than any deadline: the host ends it.
const STALL_NS: u64 = 600_000_000_000;
const SLOW_NS: u64 = 200_000_000;

mod bindings {
    spin_sdk::wit_bindgen::generate!({
        path: ["../../../wit/events", "../../../wit/index", "../../../wit/delivery", "../../../wit/worlds"],
        world: "praxis:worlds/event-consumer",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
        generate_all,
    });
}

/// The payload of an event: what to do with it.
#[derive(Deserialize)]
struct Deed {
    /// What happens at each attempt; the last one goes on. None: all is well at once.
    #[serde(default)]
    steps: Vec<Step>,
    /// What a broken consumer does wrong here.
    mark: Option<Mark>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Step {
    Ok,
    /// Takes its time, and then all is well.
    Slow,
    /// Asks to be called again.
    Retry,
    Reject,
    /// Traps before it has had an effect.
    Trap,
    /// Traps after it has had its effect.
    LateTrap,
    /// Does not come back.
    Stall,
}

/// Where a broken consumer does wrong: at two events of one key, one behind the other.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mark {
    First,
    Second { previous: String },
}

struct Consumer;
bindings::export!(Consumer with_types_in bindings);

impl Guest for Consumer {
    async fn handle(delivery: Delivery) -> Result<(), Failure> {
        let deed: Deed = serde_json::from_str(&delivery.event.data)
            .map_err(|error| Failure::Reject(format!("the payload is odd: {error}")))?;
        let database = Database::open().await.map_err(Failure::Retry)?;
        let fact = Fact {
            id: delivery.id,
            key: delivery.event.key,
            sequence: delivery.event.stream_version.cast_signed(),
            attempt: delivery.attempt.cast_signed(),
        };
        let step = step(&deed.steps, delivery.attempt);
        if !matches!(step, Step::Ok) {
            let noted = database.note(&fact, &format!("{step:?}")).await;
            noted.map_err(Failure::Retry)?;
        }
        match step {
            Step::Ok | Step::LateTrap => {}
            Step::Slow => monotonic_clock::wait_for(SLOW_NS).await,
            Step::Retry => return Err(Failure::Retry("as it was told to".to_owned())),
            Step::Reject => return Err(Failure::Reject("as it was told to".to_owned())),
            Step::Trap => panic!("as it was told to"),
            Step::Stall => monotonic_clock::wait_for(STALL_NS).await,
        }
        act(&database, &fact, deed.mark)
            .await
            .map_err(Failure::Retry)?;
        assert!(!matches!(step, Step::LateTrap), "as it was told to");
        Ok(())
    }
}

fn step(steps: &[Step], attempt: u32) -> Step {
    let at = usize::try_from(attempt)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let step = steps.get(at).or(steps.last());
    step.copied().unwrap_or(Step::Ok)
}

/// The effect, or what a broken consumer makes of it.
async fn act(database: &Database, fact: &Fact, mark: Option<Mark>) -> Result<(), String> {
    let broken = variables::get("broken")
        .await
        .map_err(|error| error.to_string())?;
    match (broken.as_str(), mark) {
        ("skip" | "swap", Some(Mark::First)) => Ok(()),
        ("swap", Some(Mark::Second { previous })) => {
            database.record(fact, 0).await?;
            let sequence = fact.sequence - 1;
            let late = Fact {
                id: previous,
                key: fact.key.clone(),
                sequence,
                ..*fact
            };
            database.record(&late, 0).await
        }
        ("twice", Some(Mark::First)) => {
            database.record(fact, 0).await?;
            database.record(fact, 1).await
        }
        _ => database.record(fact, 0).await,
    }
}
