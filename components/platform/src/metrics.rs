//! What a component counts: `praxis:metrics`.

use crate::imports::praxis::metrics::counters;

/// Counts `amount` more, for `/metrics`. A counter that the manifest does not grant is a mistake of
/// ours: it is logged, and nobody's answer depends on it.
pub fn count(counter: &str, amount: usize) {
    if let Err(counters::Error::NotGranted(name)) = counters::add(counter, amount as u64) {
        eprintln!("the counter {name} is not granted");
    }
}
