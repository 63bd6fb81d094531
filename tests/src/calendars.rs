//! Mails as another implementation reads them: Python's, and its `icalendar`.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::place;

/// A mail that the development catcher kept.
#[derive(Debug, Clone, Deserialize)]
pub struct Read {
    pub to: String,
    pub subject: String,
    pub unsubscribe: Option<String>,
    pub unsubscribe_post: Option<String>,
    pub calendars: Vec<Calendar>,
}

/// What its calendar part says, which has one event.
#[derive(Debug, Clone, Deserialize)]
pub struct Calendar {
    /// As the part's Content-Type says.
    pub method_of_part: String,
    pub method: String,
    pub uid: String,
    pub sequence: u32,
    pub status: String,
    /// With an offset.
    pub start: String,
    pub end: String,
    pub summary: String,
    pub organizer: String,
    pub attendee: String,
    /// What does not follow RFC 5545.
    pub problems: Vec<String>,
}

/// All mails to an address, the oldest first.
///
/// # Panics
/// If one can't be read.
pub fn read(folder: &Path, address: &str) -> Vec<Read> {
    let script = place::root().join("tests/src/calendars.py");
    let python = place::tool("../venv/bin/python");
    let output = Command::new(python)
        .arg(script)
        .arg(folder)
        .output()
        .expect("python runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a mail can't be read: {complaint}");
    let mut mails: Vec<Read> = serde_json::from_slice(&output.stdout).expect("a list of mails");
    mails.retain(|mail| mail.to.contains(address));
    mails
}
