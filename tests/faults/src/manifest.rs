//! The application of a run: two components, one topic, and one for what the first publishes.

use crate::place::Place;
use crate::plan::ATTEMPTS_MAX;

pub const TOPIC: &str = "deeds";
pub const DEAD_LETTERS: &str = "deeds.dlq";
pub const PARTITIONS: u32 = 12;
/// What the recorder publishes. Twice the partitions: a mock broker keeps 5 MiB of each.
pub const FOLLOW_UPS: &str = "echoes";
pub const FOLLOW_UP_PARTITIONS: u32 = 24;
pub const FOLLOW_UP_DEAD_LETTERS: &str = "echoes.dlq";

/// Events of one partition that are handled at one time.
pub const IN_FLIGHT_MAX: u32 = 16;
/// Events of one call, where a component takes many.
pub const BATCH_EVENTS_MAX: u32 = 64;
/// Shorter than a stall.
pub const EVENT_TIMEOUT_MS: u64 = 5_000;

/// Who handles the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// One event with each call; publishes one for each.
    Recorder,
    /// Many with one call.
    Batcher,
}

impl Component {
    pub const ALL: [Self; 2] = [Self::Recorder, Self::Batcher];

    pub fn name(self) -> &'static str {
        match self {
            Self::Recorder => "recorder",
            Self::Batcher => "batcher",
        }
    }

    /// The host's default: the application's name and the component's.
    pub fn group(self) -> &'static str {
        match self {
            Self::Recorder => "faults.recorder",
            Self::Batcher => "faults.batcher",
        }
    }
}

pub fn manifest(place: &Place) -> String {
    format!(
        r#"spin_manifest_version = 2

[application]
name = "faults"
version = "0.1.0"

[application.trigger.kafka.topics]
{TOPIC} = {{ partitions = {PARTITIONS}, retention_hours = 24, replication = 3, min_insync_replicas = 2 }}
{FOLLOW_UPS} = {{ partitions = {FOLLOW_UP_PARTITIONS}, retention_hours = 24, replication = 3, min_insync_replicas = 2 }}

[application.tool.praxis]
services = ["postgres"]
authentication = "jwt"
operations = true

[variables]
database_url = {{ required = true, secret = true }}
broken = {{ default = "no" }}

[[trigger.kafka]]
topic = "{TOPIC}"
component = "recorder"
max_attempts = {ATTEMPTS_MAX}
max_in_flight = {IN_FLIGHT_MAX}

[[trigger.kafka]]
topic = "{TOPIC}"
component = "batcher"
max_attempts = {ATTEMPTS_MAX}
batch_events_max = {BATCH_EVENTS_MAX}

[component.recorder]
source = "{}"
allowed_outbound_hosts = ["{{{{ database_url }}}}"]
variables = {{ database_url = "{{{{ database_url }}}}", broken = "{{{{ broken }}}}" }}

[component.recorder.tool.praxis]
event_timeout_ms = {EVENT_TIMEOUT_MS}
publishes = ["{FOLLOW_UPS}"]

[component.batcher]
source = "{}"
allowed_outbound_hosts = ["{{{{ database_url }}}}"]
variables = {{ database_url = "{{{{ database_url }}}}" }}

[component.batcher.tool.praxis]
event_timeout_ms = {EVENT_TIMEOUT_MS}
"#,
        place.recorder.display(),
        place.batcher.display(),
    )
}
