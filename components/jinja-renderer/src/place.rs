//! Where in a text something stands.

use crate::bindings::praxis::template::types::Mistake;

/// A line and a column, from one; the column counts characters.
pub fn of(text: &str, offset: usize) -> (u32, u32) {
    let before = &text[..floor(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    (number(line), number(column))
}

/// The same for many, in one go.
pub fn of_all(text: &str, offsets: &[usize]) -> Vec<(u32, u32)> {
    let mut order: Vec<usize> = (0..offsets.len()).collect();
    order.sort_by_key(|index| offsets[*index]);
    let mut places = vec![(1, 1); offsets.len()];
    let (mut at, mut line, mut column) = (0, 1, 1);
    for index in order {
        let offset = floor(text, offsets[index]).max(at);
        for char in text[at..offset].chars() {
            (line, column) = match char {
                '\n' => (line + 1, 1),
                _ => (line, column + 1),
            };
        }
        at = offset;
        places[index] = (line, column);
    }
    places
}

/// What is wrong, at an offset of the text.
pub fn mistake(text: &str, offset: usize, detail: impl Into<String>) -> Mistake {
    let (line, column) = of(text, offset);
    Mistake {
        detail: detail.into(),
        line: Some(line),
        column: Some(column),
    }
}

/// What is wrong with all of it.
pub fn nowhere(detail: impl Into<String>) -> Mistake {
    Mistake {
        detail: detail.into(),
        line: None,
        column: None,
    }
}

/// The character boundary at or before it.
fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    let boundary = |at: &usize| text.is_char_boundary(*at);
    (0..=offset).rev().find(boundary).unwrap_or_default()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
