//! Where the next page begins, and the search that it is of.

use jiff::Timestamp;

const CURSOR_BYTES_MAX: usize = 2_048;

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
        let index = unhex(index)?;
        (from < before).then_some(Self {
            available: (from, before),
            asked: asked.to_owned(),
            typos,
            index,
        })
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
