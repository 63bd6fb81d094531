//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

/// Pauses that double from `first_ms` on, each longer by chance by up to as much again, so that those
/// who failed together do not come back together: not at the longest either, which is `ms_max` at
/// most and half of it at least. They never end.
pub fn backoff(first_ms: u64, ms_max: u64) -> impl FnMut() -> Duration + Send {
    let longest = Duration::from_millis(ms_max / 2);
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(first_ms).min(longest))
        .with_max_delay(longest)
        .with_factor(2.0)
        .without_max_times()
        .with_jitter()
        .build();
    move || pauses.next().unwrap_or(longest)
}

/// One pause as they are in the end: from half of `ms_max` to all of it.
pub fn longest(ms_max: u64) -> Duration {
    backoff(ms_max, ms_max)()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_go_on() {
        let mut pauses = backoff(100, 1_000);
        let first = pauses();
        assert!((100..=200).contains(&first.as_millis()), "{first:?}");
        let second = pauses();
        assert!((200..=400).contains(&second.as_millis()), "{second:?}");
        let later: Vec<_> = (0..50).map(|_| pauses().as_millis()).skip(1).collect();
        let is_long = |pause: &u128| (500..=1_000).contains(pause);
        assert!(later.iter().all(is_long), "{later:?}");
    }

    /// Keys that were parked by one outage would otherwise all be tried at one time, for ever.
    #[test]
    fn the_longest_pauses_differ_too() {
        let mut pauses = backoff(1_000, 1_000);
        let in_a_row: Vec<_> = (0..50).map(|_| pauses()).collect();
        let each_alone: Vec<_> = (0..50).map(|_| longest(1_000)).collect();
        for mut pauses in [in_a_row, each_alone] {
            assert!(pauses.iter().all(|pause| pause.as_millis() <= 1_000));
            pauses.sort();
            assert!(
                pauses[49] - pauses[0] > Duration::from_millis(200),
                "{pauses:?}"
            );
            pauses.dedup();
            assert!(pauses.len() > 40, "{pauses:?}");
        }
    }
}
