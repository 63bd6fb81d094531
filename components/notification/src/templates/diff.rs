//! What is different, line by line.

use std::time::Duration;

use praxis_platform::template::Message;
use serde_json::{Value, json};
use similar::TextDiff;

/// After that, what is left is shown as replaced: right, but coarse.
const TIME_MAX: Duration = Duration::from_millis(200);

/// A unified diff; empty where they are the same.
pub fn of_texts(before: &str, after: &str) -> String {
    TextDiff::configure()
        .timeout(TIME_MAX)
        .diff_lines(before, after)
        .unified_diff()
        .header("published", "draft")
        .to_string()
}

pub fn of_messages(before: &Message, after: &Message) -> Value {
    let parts = |message: &Message| {
        [
            message.subject.clone().unwrap_or_default(),
            message.text.clone(),
            message.html.clone().unwrap_or_default(),
        ]
    };
    let ([subject, text, html], [new_subject, new_text, new_html]) = (parts(before), parts(after));
    json!({
        "subject": of_texts(&subject, &new_subject),
        "text": of_texts(&text, &new_text),
        "html": of_texts(&html, &new_html),
    })
}
