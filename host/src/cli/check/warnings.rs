//! What is no fault and may be a mistake.

use crate::capabilities::variables::{ENVIRONMENT_PREFIX, KNOWN_TO_THE_HOST};
use crate::manifest::{Channel, Component, Fault, Manifest, Place};
use crate::runtime::code::Surface;

/// Variables without a value, operations without operators, and components that nothing runs.
pub fn of_manifest(manifest: &Manifest, unset: &[String]) -> Vec<Fault> {
    let at = |place: Place, what: String| Fault {
        file: manifest.path.clone(),
        place,
        what,
    };
    let asked = &manifest.application.tool.praxis;
    let mut warnings = Vec::new();
    for name in unset {
        if KNOWN_TO_THE_HOST.contains(&name.as_str()) || asked.development_secrets.contains(name) {
            continue;
        }
        let variable = manifest.variables.get(name);
        warnings.push(at(
            variable.map_or(Place::default(), |variable| variable.place),
            format!(
                "the variable {name} has no value here; set {ENVIRONMENT_PREFIX}{} or write it \
                 to .env",
                name.to_uppercase()
            ),
        ));
    }
    if asked.operations && asked.authentication.is_none() {
        let what = "operations = true without authentication: nobody can show to be an operator, \
                    so /v1/ops answers 401 to everybody; add authentication = \"jwt\"";
        warnings.push(at(Place::default(), what.into()));
    }
    for component in manifest.component.values() {
        let id = component.id.as_str();
        let is_inside = manifest.around(id).next().is_some();
        let is_renderer = manifest.template_renderer() == Some(id);
        if !is_inside && !is_renderer && !manifest.trigger.components().any(|named| named == id) {
            let what = format!("nothing runs the component {id:?}; add a [[trigger.*]] for it");
            warnings.push(at(component.place, what));
        }
    }
    warnings
}

/// What is granted and never asked for, and what is asked for and will be refused.
pub fn of_component(component: &Component, surface: &Surface, unset: &[String]) -> Vec<String> {
    let mut warnings = unused(component, surface, unset);
    let speaks_http = |entry: &String| {
        let schemes = ["http:", "https:", "*:", "{{"];
        schemes.iter().any(|scheme| entry.starts_with(scheme))
    };
    let entries = &component.allowed_outbound_hosts;
    if imports(surface, HTTP_CLIENTS) && !entries.iter().any(speaks_http) {
        warnings.push(
            "it can send HTTP requests, and all of them will be refused; write where to, as \
             allowed_outbound_hosts = [\"https://api.example.com\"]"
                .into(),
        );
    }
    warnings
}

/// What sends HTTP requests, in WASI 0.2 and 0.3.
const HTTP_CLIENTS: &[&str] = &["wasi:http/outgoing-handler", "wasi:http/client"];

fn imports(surface: &Surface, prefixes: &[&str]) -> bool {
    let mut imports = surface.imports.iter();
    imports.any(|import| prefixes.iter().any(|prefix| import.starts_with(prefix)))
}

fn unused(component: &Component, surface: &Surface, unset: &[String]) -> Vec<String> {
    let tool = &component.tool.praxis;
    let sends = |channel| tool.delivery.contains(&channel);
    let reaches = |schemes: &[&str]| {
        let entries = component.allowed_outbound_hosts.iter();
        entries
            .filter(|entry| !unset.iter().any(|name| entry.contains(name.as_str())))
            .any(|entry| schemes.iter().any(|scheme| entry.starts_with(scheme)))
    };
    let granted = [
        (
            !component.key_value_stores.is_empty(),
            "key_value_stores",
            &["spin:key-value/", "wasi:keyvalue/"] as &[_],
        ),
        (
            !component.variables.is_empty(),
            "variables",
            &["spin:variables/", "wasi:config/"],
        ),
        (!component.files.is_empty(), "files", &["wasi:filesystem/"]),
        (
            !component.environment.is_empty(),
            "environment",
            &["wasi:cli/environment"],
        ),
        (
            reaches(&["postgres:", "postgresql:"]),
            "a host of PostgreSQL",
            &["spin:postgres/", "wasi:sockets/"],
        ),
        (
            reaches(&["redis:", "rediss:"]),
            "a host of Redis",
            &["spin:redis/", "wasi:sockets/"],
        ),
        (
            reaches(&["http:", "https:"]),
            "a host of HTTP",
            &[
                "wasi:http/outgoing-handler",
                "wasi:http/client",
                "wasi:sockets/",
            ],
        ),
        (
            reaches(&["tcp:", "udp:"]),
            "a host of TCP or UDP",
            &["wasi:sockets/"],
        ),
        (
            !tool.publishes.is_empty(),
            "tool.praxis.publishes",
            &["praxis:events/producer"],
        ),
        (
            !tool.indexes.is_empty(),
            "tool.praxis.indexes",
            &["praxis:index/"],
        ),
        (
            !tool.counters.is_empty(),
            "tool.praxis.counters",
            &["praxis:metrics/counters"],
        ),
        (
            sends(Channel::Email),
            "tool.praxis.delivery \"email\"",
            &["praxis:delivery/email"],
        ),
        (
            sends(Channel::Sms),
            "tool.praxis.delivery \"sms\"",
            &["praxis:delivery/sms"],
        ),
        (
            tool.templates,
            "tool.praxis.templates",
            &["praxis:template/sandbox"],
        ),
        (
            sends(Channel::Push),
            "tool.praxis.delivery \"push\"",
            &["praxis:delivery/push"],
        ),
        (
            sends(Channel::Feedback),
            "tool.praxis.delivery \"feedback\"",
            &["praxis:delivery/feedback"],
        ),
    ];
    granted
        .into_iter()
        .filter(|(is_granted, _, interfaces)| *is_granted && !imports(surface, interfaces))
        .map(|(_, what, interfaces)| {
            format!(
                "{what} is granted, but nothing of {} is imported; remove the grant",
                interfaces.join("…, ") + "…"
            )
        })
        .collect()
}
