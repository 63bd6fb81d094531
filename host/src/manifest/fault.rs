//! What is wrong with a manifest, and where.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Names as far apart as a third of their letters still count as a slip of the pen.
const LETTERS_PER_SLIP: usize = 3;
/// More names than this are not listed.
const NAMES_LISTED_MAX: usize = 12;

/// A line and a column of the manifest, both from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl Place {
    /// Where a byte of the text is. One past the end is the end, one inside a character its start.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = &text[..text.floor_char_boundary(byte)];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }
}

/// One thing that is wrong, or that looks like a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub file: PathBuf,
    pub place: Place,
    /// What is wrong and, after a semicolon, what to do about it.
    pub what: String,
}

/// `file:line:column: what is wrong; suggestion`, in one line.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        let what = self.what.replace(['\r', '\n'], " ");
        write!(f, "{}:{line}:{column}: {what}", self.file.display())
    }
}

/// Collects while a manifest is read.
pub(super) struct Findings<'t> {
    file: &'t Path,
    text: &'t str,
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl<'t> Findings<'t> {
    pub fn new(file: &'t Path, text: &'t str) -> Self {
        Self {
            file,
            text,
            faults: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub fn fault(&mut self, span: &Range<usize>, what: impl Into<String>) {
        let fault = self.found(span, what);
        self.faults.push(fault);
    }

    pub fn warning(&mut self, span: &Range<usize>, what: impl Into<String>) {
        let fault = self.found(span, what);
        self.warnings.push(fault);
    }

    pub fn fault_at(&mut self, place: Place, what: impl Into<String>) {
        self.faults.push(Fault {
            file: self.file.to_path_buf(),
            place,
            what: what.into(),
        });
    }

    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, span.start)
    }

    fn found(&self, span: &Range<usize>, what: impl Into<String>) -> Fault {
        Fault {
            file: self.file.to_path_buf(),
            place: self.place(span),
            what: what.into(),
        }
    }
}

/// What somebody who wrote `name` may have meant: `did you mean "x"?`, or else all there is.
pub fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let slips_max = (name.chars().count() / LETTERS_PER_SLIP).max(1);
    let nearest = known
        .iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips);
    match nearest {
        Some((_, candidate)) => format!("did you mean {candidate:?}?"),
        None if known.is_empty() => "there is none".to_owned(),
        None if known.len() > NAMES_LISTED_MAX => {
            format!("known are {}, …", known[..NAMES_LISTED_MAX].join(", "))
        }
        None => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let text = "a\nüb = 1\n";
        let place = |byte| {
            let Place { line, column } = Place::of(text, byte);
            (line, column)
        };
        assert_eq!(place(0), (1, 1));
        assert_eq!(place(2), (2, 1));
        assert_eq!(place(3), (2, 1));
        assert_eq!(place(4), (2, 2));
        assert_eq!(place(text.len() + 9), (3, 1));
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        assert_eq!(
            suggest("sorce", ["files", "source"]),
            "did you mean \"source\"?"
        );
        assert_eq!(suggest("wbe", ["web"]), "did you mean \"web\"?");
        assert_eq!(suggest("nothing", ["a", "b"]), "known are a, b");
        assert_eq!(suggest("nothing", []), "there is none");
    }
}
