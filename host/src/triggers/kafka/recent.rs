//! How long the last tries of a partition's events took: enough for percentiles, and no more.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Tries of which the time is kept: of the hundredth part there are five, then.
pub const TRIES_MAX: usize = 512;

/// The times of the last tries, in a ring.
pub struct Recent {
    micros: [AtomicU32; TRIES_MAX],
    tries: AtomicUsize,
}

/// What they come to, in microseconds. The longest of all is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many tries this is about: 512 at most.
    pub tries: usize,
    pub p50_us: u32,
    pub p99_us: u32,
    pub max_us: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            micros: [const { AtomicU32::new(0) }; TRIES_MAX],
            tries: AtomicUsize::new(0),
        }
    }
}

impl Recent {
    /// One try has ended.
    pub fn record(&self, taken: Duration) {
        let micros = u32::try_from(taken.as_micros()).unwrap_or(u32::MAX);
        // The time first: what is counted has one.
        let at = self.tries.load(Ordering::Relaxed);
        self.micros[at % TRIES_MAX].store(micros, Ordering::Relaxed);
        self.tries.store(at.wrapping_add(1), Ordering::Release);
    }

    /// None if nothing was tried.
    pub fn times(&self) -> Option<Times> {
        let tries = self.tries.load(Ordering::Acquire).min(TRIES_MAX);
        let kept = self.micros[..tries].iter();
        let mut micros: Vec<u32> = kept.map(|micros| micros.load(Ordering::Relaxed)).collect();
        micros.sort_unstable();
        // The smallest that as many hundredths of all do not exceed.
        let percentile = |hundredths: usize| {
            let rank = (tries * hundredths).div_ceil(100);
            micros.get(rank.saturating_sub(1)).copied()
        };
        Some(Times {
            tries,
            p50_us: percentile(50)?,
            p99_us: percentile(99)?,
            max_us: percentile(100)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent(micros: impl Iterator<Item = u64>) -> Option<Times> {
        let recent = Recent::default();
        micros.for_each(|micros| recent.record(Duration::from_micros(micros)));
        recent.times()
    }

    #[test]
    fn where_nothing_was_tried_there_are_no_times() {
        assert_eq!(recent(0..0), None);
    }

    #[test]
    fn a_percentile_is_a_time_that_was_taken() {
        let times = |tries, p50_us, p99_us, max_us| {
            Some(Times {
                tries,
                p50_us,
                p99_us,
                max_us,
            })
        };
        assert_eq!(recent([7].into_iter()), times(1, 7, 7, 7));
        assert_eq!(recent([9, 1].into_iter()), times(2, 1, 9, 9));
        assert_eq!(recent((1..=200).rev()), times(200, 100, 198, 200));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let slow = std::iter::repeat_n(1_000_000, 100);
        let times = recent(slow.chain(std::iter::repeat_n(5, TRIES_MAX))).unwrap();
        assert_eq!((times.tries, times.max_us), (TRIES_MAX, 5));
    }
}
