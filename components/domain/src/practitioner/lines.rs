//! The lines of an import, as its body arrives.

use super::PRACTITIONER_BYTES_MAX;

/// One line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From 1; empty lines count.
    pub number: u64,
    /// Without its end. None: it was too long to be kept.
    pub text: Option<Vec<u8>>,
}

/// Cuts what arrives into lines, and never holds more than one practitioner's bytes.
#[derive(Debug, Default)]
pub struct Lines {
    ended: u64,
    pending: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// The lines that end within `bytes`.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let last = pieces.next_back();
        let mut lines = Vec::new();
        for piece in pieces {
            self.keep(piece);
            lines.extend(self.end());
        }
        self.keep(last.unwrap_or_default());
        lines
    }

    /// The last line, if nothing ended it.
    pub fn finish(mut self) -> Option<Line> {
        self.end()
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.pending.len() + piece.len() > PRACTITIONER_BYTES_MAX {
            self.too_long = true;
            self.pending.clear();
        }
        if !self.too_long {
            self.pending.extend_from_slice(piece);
        }
    }

    fn end(&mut self) -> Option<Line> {
        self.ended += 1;
        let number = self.ended;
        let text = std::mem::take(&mut self.pending);
        if std::mem::take(&mut self.too_long) {
            return Some(Line { number, text: None });
        }
        (!text.trim_ascii().is_empty()).then_some(Line {
            number,
            text: Some(text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::default();
        let mut all: Vec<Line> = pieces.iter().flat_map(|piece| lines.feed(piece)).collect();
        all.extend(lines.finish());
        all.into_iter()
            .map(|line| (line.number, line.text.map(|text| text.len())))
            .collect()
    }

    #[test]
    fn lines_may_arrive_in_pieces() {
        assert_eq!(
            split(&[b"ab", b"c\nd", b"e\n"]),
            [(1, Some(3)), (2, Some(2))]
        );
        assert_eq!(split(&[b"abc"]), [(1, Some(3))]);
        assert_eq!(split(&[]), []);
    }

    #[test]
    fn empty_lines_count_but_are_none() {
        assert_eq!(split(&[b"a\n\n \r\nb"]), [(1, Some(1)), (4, Some(1))]);
    }

    #[test]
    fn a_line_that_is_too_long_does_not_stop_the_rest() {
        let long = vec![b'x'; PRACTITIONER_BYTES_MAX];
        assert_eq!(
            split(&[&long, b"x", &long, b"\nab\n"]),
            [(1, None), (2, Some(2))]
        );
        assert_eq!(split(&[&long]), [(1, Some(PRACTITIONER_BYTES_MAX))]);
    }
}
