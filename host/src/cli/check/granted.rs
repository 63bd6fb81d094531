//! What a component's table grants it, and what bounds it, as text.

use crate::manifest::limits::{self, Limit};
use crate::manifest::{Channel, Component, DependencySource, FileMount, template};
use crate::runtime::component::{
    EVENT_TIMEOUT_MS_DEFAULT, MEMORY_BYTES_DEFAULT, REQUEST_TIMEOUT_MS_DEFAULT,
};
use crate::triggers::http::guest::limits::Limits;

const MEBIBYTE: u64 = 1 << 20;

/// What the component may use, by title. Variables are named, and their values not shown.
pub fn of(component: &Component, unset: &[String]) -> Vec<(&'static str, Vec<String>)> {
    let tool = &component.tool.praxis;
    let hosts = component.allowed_outbound_hosts.iter();
    let hosts = hosts.map(|entry| {
        let names = template::names(entry).unwrap_or_default();
        let missing = names.iter().filter(|name| unset.iter().any(|u| u == *name));
        match missing.count() {
            0 => entry.clone(),
            _ => format!("{entry} (has no value here)"),
        }
    });
    let files = component.files.iter().map(|mount| match mount {
        FileMount::Pattern(pattern) => pattern.clone(),
        FileMount::Placement {
            source,
            destination,
        } => format!("{} as {destination}", source.display()),
    });
    let inside = component.dependencies.iter().map(|dependency| {
        let source = match &dependency.source {
            DependencySource::Path(path) => path.display().to_string(),
            DependencySource::Component(id) => format!("the component {id}"),
        };
        let grants = if dependency.inherits {
            "with its grants"
        } else {
            "without grants"
        };
        format!("{} from {source}, {grants}", dependency.name)
    });
    let templates = tool.templates.then(|| "in the sandbox".to_owned());
    let templates = templates.into_iter();
    vec![
        ("inside", inside.collect()),
        ("may reach", hosts.collect()),
        ("stores", component.key_value_stores.clone()),
        ("variables", component.variables.keys().cloned().collect()),
        ("files", files.collect()),
        ("publishes", tool.publishes.clone()),
        ("indexes", tool.indexes.clone()),
        ("counts", tool.counters.clone()),
        ("templates", templates.collect()),
        ("sends", tool.delivery.iter().map(channel).collect()),
    ]
}

fn channel(channel: &Channel) -> String {
    match channel {
        Channel::Email => "mail",
        Channel::Sms => "text messages",
        Channel::Push => "push messages",
        Channel::Feedback => "(is told what became of them)",
    }
    .to_owned()
}

/// What bounds the component, whether the manifest says it or the host.
pub fn limits(component: &Component) -> Vec<String> {
    let tool = &component.tool.praxis;
    let http = Limits::new(tool);
    let memory = tool.memory_bytes_max.unwrap_or(MEMORY_BYTES_DEFAULT) as u64;
    let request = tool
        .request_timeout_ms
        .unwrap_or(REQUEST_TIMEOUT_MS_DEFAULT);
    let event = tool.event_timeout_ms.unwrap_or(EVENT_TIMEOUT_MS_DEFAULT);
    let fuel = match tool.fuel_max {
        Some(fuel) => format!("{fuel} units of fuel"),
        None => "no limit of fuel".into(),
    };
    let mut lines = vec![
        format!(
            "{} of memory, {request} ms a request, {event} ms an event, {fuel}",
            bytes(memory)
        ),
        format!(
            "{} requests at one time, {} more for {} ms, {} each, {} an instance",
            http.requests_in_flight_max,
            http.requests_queued_max,
            http.queue_timeout.as_millis(),
            bytes(http.body_bytes_max),
            http.requests_per_instance_max
        ),
    ];
    lines.extend(changed(tool.limits.changed(&limits::OF_COMPONENTS)));
    lines
}

/// Limits that are not as they would be without the manifest, one a line.
pub fn changed(limits: impl Iterator<Item = (&'static Limit, u64)>) -> Vec<String> {
    limits
        .map(|(limit, value)| format!("{} = {value} (not {})", limit.key, limit.default))
        .collect()
}

fn bytes(number: u64) -> String {
    if number >= MEBIBYTE && number.is_multiple_of(MEBIBYTE) {
        format!("{} MiB", number / MEBIBYTE)
    } else {
        format!("{number} bytes")
    }
}
