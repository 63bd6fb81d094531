//! What a component imports, held against what its table in the manifest grants.

use std::sync::Arc;

use crate::capabilities::Capability;
use crate::capabilities::offer::{OFFERS, Offer};
use crate::manifest::{Component, suggest};

/// What every component may import: it reaches nothing outside by itself.
const ALWAYS_GRANTED: [&str; 6] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:io/",
    "wasi:random/",
    "wasi:filesystem/",
    "wasi:http/",
];
/// Linked because the Rust standard library imports it; each address is asked for.
const LINKED_WITHOUT_GRANTS: &str = "wasi:sockets/";
/// Packages of SDKs before the one that this host speaks with.
const OLD_SDKS: [&str; 2] = ["fermyon:", "spin:"];

/// Why imports cannot be given to the component, one line each.
pub fn check(
    imports: &[String],
    component: &Component,
    granted: &[Arc<dyn Capability>],
) -> Vec<String> {
    let provided = |name: &str| {
        granted
            .iter()
            .any(|capability| capability.interfaces().contains(&name))
    };
    let mut faults = Vec::new();
    for import in imports {
        let name = import.split('@').next().unwrap_or(import);
        let always = ALWAYS_GRANTED.iter().any(|prefix| name.starts_with(prefix))
            || name.starts_with(LINKED_WITHOUT_GRANTS);
        if always {
            continue;
        }
        match Offer::of(import) {
            Some(offer) if !offer.has_version(import) => faults.push(format!(
                "it imports {import}; this host has {}, build the component for that",
                offer.version
            )),
            Some(_) | None if provided(name) => {}
            Some(offer) => faults.push(format!(
                "it imports {import}, which is not granted; add {} to [component.{}{}]",
                offer.grant, component.id, offer.table
            )),
            None => faults.push(unknown(import, name)),
        }
    }
    faults
}

fn unknown(import: &str, name: &str) -> String {
    let base = format!("it imports {import}, which this host does not have");
    if name.starts_with("fermyon:") {
        return format!("{base}; build the component with spin-sdk 7");
    }
    if OLD_SDKS.iter().any(|prefix| name.starts_with(prefix)) || name.starts_with("wasi:") {
        let ours = OFFERS.iter().map(|offer| offer.interface);
        let theirs = ours.filter(|ours| ours.split(':').next() == name.split(':').next());
        return format!("{base}; {}", suggest(name, theirs));
    }
    format!("{base}; satisfy it with a component: [component.*.dependencies]")
}
