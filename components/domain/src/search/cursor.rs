//! Where the next page begins, and the search that it is of.
//!
//! It is not signed: it grants nothing that a search without one does not, so there is nothing to forge it
//! for. What is not as we tell it is refused all the same.

use jiff::{SignedDuration, Timestamp};

const CURSOR_BYTES_MAX: usize = 2_048;
/// How long after the first page the next one can be asked for.
pub const AGE_HOURS_MAX: i64 = 24;
/// How far the clock of the host that told the first page may be ahead of ours.
pub const AHEAD_MINUTES_MAX: i64 = 5;

pub const NONE_OF_OURS: &str = "must be the next_cursor of an earlier answer";
const TOO_OLD: &str = "is older than 24 hours: begin with the first page again";
const AHEAD: &str = "is of a first page that is yet to come: begin with the first page";

pub struct Cursor {
    pub available: (Timestamp, Timestamp),
    /// The fingerprint of the search that it is of.
    pub asked: String,
    /// Whether the first page overlooked typos.
    pub typos: bool,
    pub index: String,
}

impl Cursor {
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let mut parts = text.split('.');
        let (version, from, before) = (parts.next()?, parts.next()?, parts.next()?);
        let (asked, typos, index) = (parts.next()?, parts.next()?, parts.next()?);
        if version != "4" || parts.next().is_some() {
            return None;
        }
        let (from, before) = (milliseconds(from)?, milliseconds(before)?);
        let typos = match typos {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let index = unhex(index).filter(|index| !index.is_empty())?;
        (from < before).then_some(Self {
            available: (from, before),
            asked: asked.to_owned(),
            typos,
            index,
        })
    }

    /// Whether its first page was asked for not long ago, and not in the future; if not, what is wrong.
    pub fn check_age(&self, now: Timestamp) -> Result<(), &'static str> {
        let (asked_at, _) = self.available;
        let age = now.duration_since(asked_at);
        if age > SignedDuration::from_hours(AGE_HOURS_MAX) {
            return Err(TOO_OLD);
        }
        if age < SignedDuration::from_mins(-AHEAD_MINUTES_MAX) {
            return Err(AHEAD);
        }
        Ok(())
    }
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8(pairs.collect::<Option<_>>()?).ok()
}
