//! What a file of WebAssembly is, imports and exports.

use anyhow::anyhow;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::binary::{self, expect_component};
use crate::manifest::Manifest;

/// What wasmtime says where the pool has no room for a component of this shape.
const LIMITS_EXCEEDED: [&str; 2] = [
    "exceeds the configured maximum",
    "exceeds the per-instance limit",
];

/// Compiles a component. What is none is refused with what it is, and what to do.
pub fn compile(engine: &Engine, wasm: &[u8]) -> anyhow::Result<Component> {
    expect_component(wasm)?;
    Component::from_binary(engine, wasm).map_err(|fault| {
        let cause = fault.root_cause().to_string();
        // Wasmtime has no type for it.
        if LIMITS_EXCEEDED.iter().any(|words| cause.contains(words)) {
            return anyhow!("it is too large for this host: {cause}");
        }
        anyhow!("could not compile it: {cause}; it is damaged or cut off, build it again")
    })
}

/// The names of what a component imports and exports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surface {
    /// What holds a function or a resource: plain types need no grant.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

impl Surface {
    pub fn of(engine: &Engine, component: &Component) -> Self {
        Self {
            imports: binary::imports(engine, component),
            exports: binary::exports(engine, component),
        }
    }

    /// Why the triggers of the manifest cannot run the component, one line each.
    pub fn check_triggers(&self, manifest: &Manifest, id: &str) -> Vec<String> {
        let triggers = &manifest.trigger;
        let is = |component: &str| component == id;
        let wanted = [
            (
                triggers.http.iter().any(|trigger| is(&trigger.component)),
                "[[trigger.http]]",
                HTTP.as_slice(),
            ),
            (
                triggers.kafka.iter().any(|trigger| is(&trigger.component)),
                "[[trigger.kafka]]",
                EVENTS.as_slice(),
            ),
            (
                triggers.cron.iter().any(|trigger| is(&trigger.component)),
                "[[trigger.cron]]",
                EVENTS.as_slice(),
            ),
            (
                triggers.redis.iter().any(|trigger| is(&trigger.component)),
                "[[trigger.redis]]",
                REDIS.as_slice(),
            ),
            (
                manifest.template_renderer().is_some_and(is),
                "template_renderer",
                TEMPLATES.as_slice(),
            ),
        ];
        let mut faults = Vec::new();
        for (is_named, trigger, interfaces) in wanted {
            let exports_one = interfaces
                .iter()
                .any(|prefix| self.exports.iter().any(|export| export.starts_with(prefix)));
            if is_named && !exports_one {
                let interfaces = interfaces.join("… or ");
                faults.push(format!(
                    "{trigger} runs it, but it does not export {interfaces}…; \
                     it exports {}",
                    listed(&self.exports)
                ));
            }
        }
        faults
    }
}

/// What a component exports that each trigger can run.
const HTTP: [&str; 2] = ["wasi:http/handler@0.3", "wasi:http/incoming-handler@0.2"];
const EVENTS: [&str; 2] = [
    "praxis:events/consumer@0.1",
    "praxis:events/batch-consumer@0.1",
];
const TEMPLATES: [&str; 1] = ["praxis:template/text-renderer@0.1"];
const REDIS: [&str; 1] = ["spin:redis/inbound-redis@3"];

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}
