//! What bounds one component's requests: `[component.X.tool.praxis]`, or the defaults.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::manifest::ComponentTool;
use crate::runtime::component::QUEUE_TIMEOUT_MS_DEFAULT;

const REQUESTS_IN_FLIGHT_MAX: u32 = 64;
const REQUESTS_QUEUED_MAX: u32 = 1024;
const REQUESTS_PER_INSTANCE_MAX: u32 = 128;
const BODY_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that the component works on at one time.
    pub requests_in_flight_max: usize,
    /// Requests that wait for one of those places.
    pub requests_queued_max: usize,
    /// How long they wait.
    pub queue_timeout: Duration,
    /// What a request's body may hold.
    pub body_bytes_max: u64,
    /// Requests that an instance answers, one after the other, before a fresh one takes its place.
    pub requests_per_instance_max: usize,
}

impl Limits {
    pub fn new(tool: &ComponentTool) -> Self {
        let size = |set: Option<NonZeroU32>, default| set.map_or(default, NonZeroU32::get) as usize;
        Self {
            requests_in_flight_max: size(tool.requests_in_flight_max, REQUESTS_IN_FLIGHT_MAX),
            requests_queued_max: tool.requests_queued_max.unwrap_or(REQUESTS_QUEUED_MAX) as usize,
            queue_timeout: Duration::from_millis(
                tool.queue_timeout_ms.unwrap_or(QUEUE_TIMEOUT_MS_DEFAULT),
            ),
            body_bytes_max: tool.body_bytes_max.unwrap_or(BODY_BYTES_MAX),
            requests_per_instance_max: size(
                tool.requests_per_instance_max,
                REQUESTS_PER_INSTANCE_MAX,
            ),
        }
    }
}
