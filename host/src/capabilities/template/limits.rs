//! How much renderers may be, take and say. What is said is bounded as messages are that go out.

use super::{Channel, Message, Mistake};
use crate::capabilities::delivery::{
    PUSH_TEXT_CHARS_MAX, PUSH_TITLE_CHARS_MAX, SMS_TEXT_CHARS_MAX, SUBJECT_BYTES_MAX,
};

/// A tenant's component.
pub const COMPONENT_BYTES_MAX: usize = 4 << 20;
/// Functions of it, and the length of each: what is longer takes the compiler too long.
pub const FUNCTIONS_MAX: usize = 20_000;
pub const FUNCTION_BYTES_MAX: usize = 128 << 10;
/// What an author writes.
pub const SOURCE_BYTES_MAX: usize = 256 << 10;
/// What becomes of it.
pub const COMPILED_BYTES_MAX: usize = 2 << 20;
pub const VIEW_BYTES_MAX: usize = 256 << 10;
/// Names of events, locales and owners.
pub const NAME_BYTES_MAX: usize = 256;
/// Linear memory of one renderer.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;
/// Instructions, roughly, of one call: about half a second of a processor.
pub const FUEL_MAX: u64 = 1_000_000_000;
/// Time for one call. Fuel ends what works; this ends what waits. Many times what the fuel takes, for a busy
/// machine is no fault of the template.
pub const CALL_MS_MAX: u64 = 5_000;
/// Of random bytes, at a time: they are made outside of the call's fuel.
pub const RANDOM_BYTES_MAX: u64 = 4 << 10;
/// A text and an HTML part, each.
pub const PART_BYTES_MAX: usize = 256 << 10;
/// What a renderer may hand over in one call, parts and mistakes together.
pub const ANSWER_BYTES_MAX: usize = 4 << 20;
pub const MISTAKES_MAX: usize = 100;
pub const MISTAKE_CHARS_MAX: usize = 500;
/// Renderers that run at one time, and those of one owner among them.
pub const CALLS_AT_ONCE_MAX: usize = 32;
pub const CALLS_OF_OWNER_AT_ONCE_MAX: usize = 8;
/// How long a call waits until it is its turn.
pub const QUEUE_MS_MAX: u64 = 5_000;
/// Components that are compiled one after the other, and how long one waits for the others.
pub const COMPILE_QUEUE_MS_MAX: u64 = 30_000;
/// Components held ready, and those of one owner among them.
pub const READY_MAX: usize = 256;
pub const READY_OF_OWNER_MAX: usize = 16;
/// Components that one owner has kept, ever: versions are not taken away.
pub const KEPT_OF_OWNER_MAX: i64 = 256;

/// Why it is no message of its channel.
pub fn check(channel: Channel, message: &Message) -> Result<(), String> {
    let subject = message.subject.as_deref();
    let is_html = message.html.is_some();
    match (channel, subject) {
        (Channel::Email, Some(subject)) => {
            check_line(subject, subject.len(), SUBJECT_BYTES_MAX, "bytes")?;
        }
        (Channel::Push, Some(title)) if !is_html => {
            let chars = title.chars().count();
            check_line(title, chars, PUSH_TITLE_CHARS_MAX, "characters")?;
            check_chars(&message.text, PUSH_TEXT_CHARS_MAX)?;
        }
        (Channel::Sms, None) if !is_html => check_chars(&message.text, SMS_TEXT_CHARS_MAX)?,
        (Channel::Email | Channel::Push, None) => return Err("it has no subject".into()),
        (Channel::Sms, Some(_)) => return Err("a text message has no subject".into()),
        (Channel::Sms | Channel::Push, _) => return Err("only an e-mail has HTML".into()),
    }
    let html = message.html.as_deref().unwrap_or_default();
    for (name, part) in [("text", message.text.as_str()), ("HTML", html)] {
        if part.len() > PART_BYTES_MAX {
            return Err(format!("its {name} has more than {PART_BYTES_MAX} bytes"));
        }
    }
    if message.text.trim().is_empty() {
        return Err("its text is empty".into());
    }
    Ok(())
}

/// What stands in a header has one line, and nothing that could begin another.
fn check_line(line: &str, length: usize, max: usize, unit: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Err("its subject is empty".into());
    }
    if line.contains(char::is_control) {
        return Err("its subject has a line break or another control character".into());
    }
    if length > max {
        return Err(format!("its subject has more than {max} {unit}"));
    }
    Ok(())
}

fn check_chars(text: &str, max: usize) -> Result<(), String> {
    match text.chars().count() {
        count if count > max => Err(format!("its text has {count} characters, more than {max}")),
        _ => Ok(()),
    }
}

/// As much of it as is told.
pub fn told(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.truncate(MISTAKES_MAX);
    for mistake in &mut mistakes {
        mistake.detail = shortened(&mistake.detail);
    }
    mistakes
}

pub fn shortened(detail: &str) -> String {
    detail.chars().take(MISTAKE_CHARS_MAX).collect()
}
