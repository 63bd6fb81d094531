//! Where a page ended, so that the next one begins right behind it.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Error, Hit};

/// Bytes of a cursor: the longest id, the score, and room.
const CURSOR_BYTES_MAX: usize = 256;

/// A place in the order of all hits: by score, descending, then by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    pub score: f64,
    pub id: String,
}

impl Position {
    pub fn of(hit: &Hit) -> Self {
        Self {
            score: hit.score,
            id: hit.id.clone(),
        }
    }

    /// How a hit with this score and id stands to this place: `Greater` is behind it.
    pub fn compare(&self, score: f64, id: &str) -> Ordering {
        order(score, id, self.score, &self.id)
    }

    /// Text that a URL can carry. The score goes as its bits: it comes back unrounded.
    pub fn encode(&self) -> String {
        let mut bytes = self.score.to_bits().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(cursor: &str) -> Result<Self, Error> {
        Self::parse(cursor).ok_or_else(|| Error::Invalid("the cursor is not one of ours".into()))
    }

    fn parse(cursor: &str) -> Option<Self> {
        if cursor.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (score, id) = bytes.split_first_chunk::<8>()?;
        let score = f64::from_bits(u64::from_be_bytes(*score));
        let id = String::from_utf8(id.to_vec()).ok()?;
        (score.is_finite() && !id.is_empty()).then_some(Self { score, id })
    }
}

/// The order of hits: `Less` comes first.
pub fn order(score: f64, id: &str, other_score: f64, other_id: &str) -> Ordering {
    other_score.total_cmp(&score).then_with(|| id.cmp(other_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let position = Position {
            score: 0.1 + 0.2,
            id: "café/1".into(),
        };
        assert_eq!(Position::decode(&position.encode()).unwrap(), position);
    }

    #[test]
    fn what_is_no_cursor_of_ours_is_refused() {
        let not_a_number = URL_SAFE_NO_PAD.encode([0xff; 12]);
        for cursor in [
            "",
            "!",
            "AAAA",
            "AAAAAAAAAAA",
            &not_a_number,
            &"A".repeat(300),
        ] {
            assert!(
                matches!(Position::decode(cursor), Err(Error::Invalid(_))),
                "{cursor}"
            );
        }
    }
}
