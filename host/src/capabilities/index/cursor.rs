//! Where a page ended, so that the next one begins right behind it.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::{Error, Order, Query};

/// Characters of a cursor: the fingerprint, the key, the longest id, and room.
const CURSOR_CHARS_MAX: usize = 256;

/// What a query asks for, but for the page: a cursor of another search would point at a place in
/// another order. It guards against mistakes, not against who forges one: they only confuse
/// themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    pub fn of(index: &str, query: &Query) -> Self {
        let asked = (index, &query.filter, &query.score, &query.order);
        let asked = serde_json::to_vec(&asked).expect("plain values can be written");
        let digest = Sha256::digest(asked);
        let begin = digest.first_chunk().expect("a digest has 32 bytes");
        Self(*begin)
    }
}

/// A place in the order of all hits: by the order's key, then by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The score, the distance in metres, or the date in milliseconds.
    pub key: f64,
    pub id: String,
}

impl Position {
    /// Text that a URL can carry. The key goes as its bits: it comes back unrounded.
    pub fn encode(&self, search: Fingerprint) -> String {
        let mut bytes = search.0.to_vec();
        bytes.extend_from_slice(&self.key.to_bits().to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(cursor: &str, search: Fingerprint) -> Result<Self, Error> {
        match parse(cursor) {
            Some((of, position)) if of == search => Ok(position),
            Some(_) => Err(Error::Invalid("the cursor is of another search".into())),
            None => Err(Error::Invalid("the cursor is not one of ours".into())),
        }
    }
}

fn parse(cursor: &str) -> Option<(Fingerprint, Position)> {
    if cursor.len() > CURSOR_CHARS_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (search, rest) = bytes.split_first_chunk()?;
    let (key, id) = rest.split_first_chunk()?;
    let key = f64::from_bits(u64::from_be_bytes(*key));
    let id = String::from_utf8(id.to_vec()).ok()?;
    let is_sound = key.is_finite() && !id.is_empty();
    is_sound.then_some((Fingerprint(*search), Position { key, id }))
}

impl Order {
    /// How one hit stands to another, each with its key and id: `Less` comes first.
    pub fn compare(&self, one: (f64, &str), other: (f64, &str)) -> Ordering {
        let by_key = match self {
            Self::Score => other.0.total_cmp(&one.0),
            Self::Nearest(_) | Self::Earliest(_) => one.0.total_cmp(&other.0),
        };
        by_key.then_with(|| one.1.cmp(other.1))
    }

    /// Whether a hit with this key and id comes behind that place.
    pub fn is_behind(&self, key: f64, id: &str, place: &Position) -> bool {
        self.compare((key, id), (place.key, &place.id)).is_gt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Fingerprint = Fingerprint([7; 8]);

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let position = Position {
            key: 0.1 + 0.2,
            id: "café/1".into(),
        };
        let cursor = position.encode(SEARCH);
        assert_eq!(Position::decode(&cursor, SEARCH).unwrap(), position);
        let elsewhere = Position::decode(&cursor, Fingerprint([8; 8]));
        assert!(matches!(elsewhere, Err(Error::Invalid(why)) if why.contains("another search")));
        let longest = Position {
            key: f64::MAX,
            id: "x".repeat(128),
        };
        let cursor = longest.encode(SEARCH);
        assert_eq!(Position::decode(&cursor, SEARCH).unwrap(), longest);
    }

    #[test]
    fn what_is_no_cursor_of_ours_is_refused() {
        let not_a_number = URL_SAFE_NO_PAD.encode([0xff; 20]);
        let without_id = URL_SAFE_NO_PAD.encode([7; 16]);
        for cursor in [
            "",
            "!",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAA",
            &without_id,
            &not_a_number,
            &"A".repeat(300),
        ] {
            assert!(
                matches!(Position::decode(cursor, SEARCH), Err(Error::Invalid(why)) if why.contains("ours")),
                "{cursor}"
            );
        }
    }
}
