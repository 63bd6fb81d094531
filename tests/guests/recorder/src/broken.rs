//! What the recorder does wrong on purpose, so that the run can show that it notices.

use serde::Deserialize;
use spin_sdk::variables;

/// The part of a payload that only a broken consumer reads.
#[derive(Deserialize)]
struct Marked {
    mark: Option<Mark>,
}

/// Where something is done wrong: at two events of one key, one behind the other.
#[derive(Deserialize)]
pub struct Mark {
    pub wrong: Wrong,
    /// At the second one: the first one's id.
    pub previous: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// Says of the first that it is handled, and does nothing.
    Skip,
    /// Handles the second before the first.
    Swap,
    /// Handles the first twice.
    Twice,
    /// Publishes nothing for the first.
    Mute,
    /// Publishes two events for the first.
    Chatter,
}

/// What is to be done wrong at this event: the variable `broken` names what is done wrong at all,
/// `all` means all of it.
pub async fn mark(data: &str) -> Result<Option<Mark>, String> {
    let marked: Marked = serde_json::from_str(data).map_err(|error| error.to_string())?;
    let Some(mark) = marked.mark else {
        return Ok(None);
    };
    let broken = variables::get("broken").await;
    let broken = broken.map_err(|error| error.to_string())?;
    let named = format!("{:?}", mark.wrong).to_lowercase();
    Ok((broken == "all" || broken == named).then_some(mark))
}
