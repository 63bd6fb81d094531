//! A manifest of any bytes is read without a panic, and each of its faults has a place.

use std::path::Path;

use praxis_host::manifest::{Fault, Reading, template};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Every key that there is, in its place.
const EVERYTHING: &str = include_str!("everything.toml");
const OURS: &str = include_str!("../../../spin.toml");

/// What stands in for a value.
const VALUES: [&str; 16] = [
    "1",
    "-1",
    "0",
    "9999999999999999999999",
    "1.5",
    "true",
    "\"\"",
    "\"x\"",
    "\"{{ x\"",
    "\"{{ database_url }}\"",
    "[]",
    "[1]",
    "[\"x\"]",
    "{}",
    "{ x = 1 }",
    "1979-05-27",
];

/// What is put in anywhere.
const PIECES: [&str; 18] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    "\"",
    "'''",
    "\n",
    ".",
    ",",
    "{{",
    "}}",
    "\u{0}",
    "é",
    "/...",
    "component",
];

/// One change of a text.
#[derive(Debug, Clone)]
enum Change {
    Cut(Index, Index),
    Double(Index, Index),
    Put(Index, &'static str),
    /// The value of a line.
    Value(Index, &'static str),
    /// The key of a line.
    Key(Index, String),
    Swap(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        (place(), place()).prop_map(|(a, b)| Change::Cut(a, b)),
        (place(), place()).prop_map(|(a, b)| Change::Double(a, b)),
        (place(), select(&PIECES[..])).prop_map(|(a, piece)| Change::Put(a, piece)),
        (place(), select(&VALUES[..])).prop_map(|(a, value)| Change::Value(a, value)),
        (place(), "[a-z_.]{1,12}").prop_map(|(a, key)| Change::Key(a, key)),
        (place(), place()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

impl Change {
    fn apply(&self, text: &str) -> String {
        let byte = |index: &Index| text.floor_char_boundary(index.index(text.len() + 1));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            return text.to_owned();
        }
        let line = |index: &Index| index.index(lines.len());
        match self {
            Self::Cut(a, b) | Self::Double(a, b) => {
                let (start, end) = (byte(a).min(byte(b)), byte(a).max(byte(b)));
                let middle = match self {
                    Self::Double(..) => text[start..end].repeat(2),
                    _ => String::new(),
                };
                return format!("{}{middle}{}", &text[..start], &text[end..]);
            }
            Self::Put(a, piece) => {
                let (before, after) = text.split_at(byte(a));
                return format!("{before}{piece}{after}");
            }
            Self::Value(a, value) => {
                let place = line(a);
                if let Some((key, _)) = lines[place].split_once('=') {
                    lines[place] = format!("{key}= {value}");
                }
            }
            Self::Key(a, key) => {
                let place = line(a);
                if let Some((_, value)) = lines[place].split_once('=') {
                    lines[place] = format!("{key} ={value}");
                }
            }
            Self::Swap(a, b) => {
                let (a, b) = (line(a), line(b));
                lines.swap(a, b);
            }
        }
        lines.join("\n")
    }
}

/// `fuzz.toml:line:column: what`, in one line, and the place is one of the text.
fn check(fault: &Fault, bytes: &[u8]) -> Result<(), TestCaseError> {
    let text = fault.to_string();
    prop_assert_eq!(text.lines().count(), 1, "{}", text);
    let mut parts = text.splitn(4, ':');
    prop_assert_eq!(parts.next(), Some("fuzz.toml"));
    let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok());
    let (line, column) = (number(), number());
    prop_assert!(line.is_some_and(|line| line >= 1), "{}", text);
    prop_assert!(column.is_some_and(|column| column >= 1), "{}", text);
    let lines = bytes.split(|byte| *byte == b'\n');
    prop_assert!(fault.place.line <= lines.clone().count(), "{}", text);
    let longest = lines.map(<[u8]>::len).max().unwrap_or_default();
    prop_assert!(fault.place.column <= longest + 1, "{}", text);
    prop_assert!(parts.next().is_some_and(|what| what.len() > 1), "{}", text);
    Ok(())
}

fn read(bytes: &[u8]) -> Result<Reading, TestCaseError> {
    let reading = Reading::of_bytes(Path::new("fuzz.toml"), bytes);
    for fault in reading.faults.iter().chain(&reading.warnings) {
        check(fault, bytes)?;
    }
    if reading.faults.is_empty() {
        let manifest = &reading.manifest;
        for component in manifest.trigger.components() {
            prop_assert!(manifest.component.contains_key(component));
        }
        for component in manifest.component.values() {
            prop_assert!(!component.source.as_os_str().is_empty());
        }
    }
    Ok(reading)
}

#[test]
fn the_manifests_to_begin_with_are_good() {
    for text in [EVERYTHING, OURS] {
        let reading = read(text.as_bytes()).unwrap();
        assert_eq!(reading.faults, []);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let reading = read(&bytes)?;
        prop_assert!(!reading.faults.is_empty());
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        read(text.as_bytes())?;
    }

    #[test]
    fn a_changed_manifest_is_read(
        text in select(&[EVERYTHING, OURS][..]),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let changed = changes.iter().fold(text.to_owned(), |text, change| change.apply(&text));
        read(changed.as_bytes())?;
    }

    #[test]
    fn changed_bytes_of_a_manifest_are_read(
        text in select(&[EVERYTHING, OURS][..]),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..16),
    ) {
        let mut bytes = text.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read(&bytes)?;
    }

    #[test]
    fn a_template_is_expanded_or_refused(text in "(\\PC|\\{\\{|\\}\\}| a ){0,20}") {
        let names = template::names(&text);
        let expanded = template::expand(&text, |_| Some("value"));
        prop_assert_eq!(names.is_ok(), expanded.is_ok());
        if let Ok(names) = names && names.is_empty() {
            prop_assert_eq!(expanded.unwrap(), text);
        }
    }
}
