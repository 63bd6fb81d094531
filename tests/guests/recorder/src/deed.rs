//! What an event asks of the consumers of the fault run.

use serde::Deserialize;

/// Longer than any deadline: the host ends it.
pub const STALL_NS: u64 = 600_000_000_000;
pub const SLOW_NS: u64 = 200_000_000;

/// As it was told to.
pub const TOLD: &str = "as it was told to";

/// The payload of an event.
#[derive(Deserialize)]
pub struct Deed {
    /// What happens at each attempt; the last one goes on. None: all is well at once.
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Ok,
    /// Takes its time, and then all is well.
    Slow,
    /// Asks to be called again.
    Retry,
    /// Rejects it, until it is redriven after it was pardoned.
    Reject,
    /// Traps before it has had an effect.
    Trap,
    /// Traps after it has had its effect.
    LateTrap,
    /// Does not come back.
    Stall,
}

impl Deed {
    pub fn read(data: &str) -> Result<Self, String> {
        serde_json::from_str(data).map_err(|error| format!("the payload is odd: {error}"))
    }

    pub fn step(&self, attempt: u32) -> Step {
        let at = usize::try_from(attempt)
            .unwrap_or(usize::MAX)
            .saturating_sub(1);
        let step = self.steps.get(at).or(self.steps.last());
        step.copied().unwrap_or(Step::Ok)
    }
}
