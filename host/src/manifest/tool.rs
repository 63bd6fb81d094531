//! `[component.*.tool.praxis]`: what of this host a component may use, and how much.

use std::num::{NonZeroU32, NonZeroU64};

use super::document::{Kind, Table};
use super::limits::{self, Limits};

#[derive(Debug, Clone, Default)]
pub struct ComponentTool {
    /// Topics that it may publish to.
    pub publishes: Vec<String>,
    /// Indexes that it may read and write.
    pub indexes: Vec<String>,
    /// What it may count, for `/metrics`.
    pub counters: Vec<String>,
    /// Channels that it may send on.
    pub delivery: Vec<Channel>,
    /// Whether it may have messages made of templates, and keep components that make them.
    pub templates: bool,
    /// Linear memory, at most.
    pub memory_bytes_max: Option<usize>,
    /// Wall-clock time for one request.
    pub request_timeout_ms: Option<u64>,
    /// Wall-clock time for one event.
    pub event_timeout_ms: Option<u64>,
    /// Instructions, roughly, for one request or event; without it none are counted.
    pub fuel_max: Option<NonZeroU64>,
    /// Requests that are worked on at one time.
    pub requests_in_flight_max: Option<NonZeroU32>,
    /// Requests that wait for one of those places.
    pub requests_queued_max: Option<u32>,
    /// How long they wait.
    pub queue_timeout_ms: Option<u64>,
    /// What a request's body may hold.
    pub body_bytes_max: Option<u64>,
    /// Requests that an instance answers, one after the other, before a fresh one takes its place.
    pub requests_per_instance_max: Option<NonZeroU32>,
    /// What else it may use, and how much.
    pub limits: Limits,
    /// What handles an event.
    pub instances: Instances,
    /// Events that an instance handles, one after the other, where instances are reused.
    pub events_per_instance_max: Option<NonZeroU32>,
}

/// What handles an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Instances {
    /// An instance of its own: nothing is left of one event when the next comes.
    #[default]
    Fresh,
    /// An instance that has handled others before.
    Reused,
}

const COUNTER_BYTES_MAX: usize = 64;
const EVENTS_PER_INSTANCE_DEFAULT: u32 = 1_024;

const INSTANCES: [(&str, Instances); 2] =
    [("fresh", Instances::Fresh), ("reused", Instances::Reused)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Email,
    Sms,
    Push,
    /// Not one to send on: what providers report of what was sent.
    Feedback,
}

const CHANNELS: [(&str, Channel); 4] = [
    ("email", Channel::Email),
    ("sms", Channel::Sms),
    ("push", Channel::Push),
    ("feedback", Channel::Feedback),
];

impl ComponentTool {
    pub(super) fn read(mut table: Table<'_, '_>) -> Self {
        let tool = Self {
            publishes: references(&mut table, "publishes", Kind::Topic),
            indexes: references(&mut table, "indexes", Kind::Index),
            counters: counters(&mut table),
            delivery: table.some_of("delivery", &CHANNELS),
            templates: table.flag("templates").unwrap_or_default(),
            memory_bytes_max: table.number("memory_bytes_max"),
            request_timeout_ms: table.number("request_timeout_ms"),
            event_timeout_ms: table.number("event_timeout_ms"),
            fuel_max: table.positive::<u64, _>("fuel_max"),
            requests_in_flight_max: table.positive::<u32, _>("requests_in_flight_max"),
            requests_queued_max: table.number("requests_queued_max"),
            queue_timeout_ms: table.number("queue_timeout_ms"),
            body_bytes_max: table.number("body_bytes_max"),
            requests_per_instance_max: table.positive::<u32, _>("requests_per_instance_max"),
            limits: Limits::read(&mut table, &limits::OF_COMPONENTS),
            instances: table.one_of("instances", &INSTANCES).unwrap_or_default(),
            events_per_instance_max: table.positive::<u32, _>("events_per_instance_max"),
        };
        table.finish();
        tool
    }

    /// Events that an instance handles before a fresh one takes its place.
    pub fn events_per_instance(&self) -> u32 {
        match (self.instances, self.events_per_instance_max) {
            (Instances::Fresh, _) => 1,
            (Instances::Reused, Some(max)) => max.get(),
            (Instances::Reused, None) => EVENTS_PER_INSTANCE_DEFAULT,
        }
    }
}

/// Names that are parts of a metric's.
fn counters(table: &mut Table<'_, '_>) -> Vec<String> {
    let mut names = Vec::new();
    for item in table.list("counters") {
        let Some(name) = item.text() else {
            continue;
        };
        let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if begins && name.chars().all(is_plain) && name.len() <= COUNTER_BYTES_MAX {
            names.push(name);
        } else {
            let what = format!(
                "{} has lower-case letters, digits and _, begins with a letter, and has \
                 {COUNTER_BYTES_MAX} bytes at most",
                item.name
            );
            item.report.fault(&item.span, what);
        }
    }
    names
}

/// Names that must be declared elsewhere.
pub(super) fn references(table: &mut Table<'_, '_>, key: &'static str, kind: Kind) -> Vec<String> {
    let mut names = Vec::new();
    for item in table.list(key) {
        if let Some(name) = item.text() {
            item.report.refer(kind, &name, &item.name, &item.span);
            names.push(name);
        }
    }
    names
}
