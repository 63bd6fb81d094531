//! Dates that follow each other.

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// From one date to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    from: Date,
    until: Date,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must not be before from")]
pub struct Backwards;

impl Span {
    pub fn new(from: Date, until: Date) -> Result<Self, Backwards> {
        if from <= until {
            Ok(Self { from, until })
        } else {
            Err(Backwards)
        }
    }

    pub fn from(self) -> Date {
        self.from
    }

    /// Inclusive.
    pub fn until(self) -> Date {
        self.until
    }
}

/// Spans in order, with a day or more between each two: what overlaps or touches is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Spans(Vec<Span>);

impl Spans {
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_unstable();
        let mut apart: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.from <= last.until.saturating_add(1.day()) => {
                    last.until = last.until.max(span.until);
                }
                _ => apart.push(span),
            }
        }
        Self(apart)
    }

    pub fn contains(&self, date: Date) -> bool {
        let mut spans = self.0.iter();
        spans.any(|span| span.from <= date && date <= span.until)
    }

    pub fn iter(&self) -> impl Iterator<Item = Span> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn january(from: i8, until: i8) -> Span {
        Span::new(date(2027, 1, from), date(2027, 1, until)).unwrap()
    }

    #[test]
    fn what_overlaps_or_touches_is_one() {
        let spans = Spans::of([january(9, 9), january(4, 6), january(1, 3), january(2, 2)]);
        assert_eq!(
            spans.iter().collect::<Vec<_>>(),
            [january(1, 6), january(9, 9)]
        );
        assert!(spans.contains(date(2027, 1, 6)));
        assert!(!spans.contains(date(2027, 1, 7)));
    }

    #[test]
    fn a_span_does_not_run_backwards() {
        let refused = Span::new(date(2027, 1, 2), date(2027, 1, 1));
        assert_eq!(refused, Err(Backwards));
    }
}
