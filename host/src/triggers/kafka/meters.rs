//! What is counted of events. A series is looked up by name once a partition, not with every event.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::watch::At;
use crate::runtime::consumer::Outcome;

/// The series of a partition.
pub struct Meters {
    in_flight: Gauge,
    parked: Gauge,
    retries: Counter,
    dead_letters: Counter,
    lost: Counter,
    done: Handled,
    retry: Handled,
    fault: Handled,
    reject: Handled,
}

/// Tries with one outcome.
struct Handled {
    seconds: Histogram,
    total: Counter,
}

impl Meters {
    pub fn new(at: &At) -> Self {
        let labels = [
            ("group", at.group.clone()),
            ("topic", at.topic.clone()),
            ("partition", at.partition.to_string()),
        ];
        Self {
            in_flight: metrics::gauge!("event_in_flight", &labels),
            parked: metrics::gauge!("event_parked", &labels),
            retries: metrics::counter!("event_retries_total", &labels),
            dead_letters: metrics::counter!("event_dead_letters_total", &labels),
            lost: metrics::counter!("event_lost_total", &labels),
            done: Handled::new(at, "done"),
            retry: Handled::new(at, "retry"),
            fault: Handled::new(at, "fault"),
            reject: Handled::new(at, "reject"),
        }
    }

    /// One try has ended.
    pub fn handled(&self, outcome: &Outcome, taken: Duration) {
        let handled = match outcome {
            Outcome::Done(_) => &self.done,
            Outcome::Retry(_) => &self.retry,
            Outcome::Fault(_) => &self.fault,
            Outcome::Reject(_) => &self.reject,
        };
        handled.seconds.record(taken);
        handled.total.increment(1);
    }

    pub fn in_flight(&self, count: usize) {
        self.in_flight.set(count as f64);
    }

    pub fn parked(&self, count: usize) {
        self.parked.set(count as f64);
    }

    pub fn retried(&self) {
        self.retries.increment(1);
    }

    pub fn lost(&self, events: u64) {
        self.lost.increment(events);
    }

    pub fn gave_up(&self) {
        self.dead_letters.increment(1);
    }
}

impl Handled {
    fn new(at: &At, outcome: &'static str) -> Self {
        let labels = [
            ("group", at.group.clone()),
            ("topic", at.topic.clone()),
            ("partition", at.partition.to_string()),
            ("outcome", outcome.to_owned()),
        ];
        Self {
            seconds: metrics::histogram!("event_handler_seconds", &labels),
            total: metrics::counter!("event_handled_total", &labels),
        }
    }
}
