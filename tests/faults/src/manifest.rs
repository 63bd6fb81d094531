//! The application of a run: one component, one topic.

use std::path::Path;

use crate::plan::ATTEMPTS_MAX;

pub const TOPIC: &str = "deeds";
pub const DEAD_LETTERS: &str = "deeds.dlq";
/// The host's default: the application's name and the component's.
pub const GROUP: &str = "faults.recorder";
pub const PARTITIONS: u32 = 12;
const IN_FLIGHT_MAX: u32 = 16;
/// Shorter than a stall.
const EVENT_TIMEOUT_MS: u32 = 5_000;

pub fn manifest(recorder: &Path) -> String {
    format!(
        r#"spin_manifest_version = 2

[application]
name = "faults"
version = "0.1.0"

[application.trigger.kafka.topics]
{TOPIC} = {{ partitions = {PARTITIONS}, retention_hours = 24, replication = 3, min_insync_replicas = 2 }}

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

[component.recorder]
source = "{}"
allowed_outbound_hosts = ["{{{{ database_url }}}}"]
variables = {{ database_url = "{{{{ database_url }}}}", broken = "{{{{ broken }}}}" }}

[component.recorder.tool.praxis]
event_timeout_ms = {EVENT_TIMEOUT_MS}
"#,
        recorder.display()
    )
}
