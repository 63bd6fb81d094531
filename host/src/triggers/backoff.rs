//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};

/// Pauses that double from `first_ms` to `ms_max`, each a little longer by chance, so that those
/// who failed together do not come back together. They never end.
pub fn backoff(first_ms: u64, ms_max: u64) -> impl FnMut() -> Duration + Send {
    let longest = Duration::from_millis(ms_max);
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(first_ms))
        .with_max_delay(longest)
        .with_factor(2.0)
        .without_max_times()
        .with_jitter()
        .build();
    move || pauses.next().map_or(longest, |pause| pause.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_go_on() {
        let mut pauses = backoff(100, 1_000);
        let first = pauses();
        assert!((100..=200).contains(&first.as_millis()), "{first:?}");
        let later: Vec<_> = (0..50).map(|_| pauses().as_millis()).collect();
        assert!(later.iter().all(|pause| *pause <= 1_000), "{later:?}");
        assert_eq!(later[49], 1_000);
    }
}
