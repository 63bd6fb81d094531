//! Every interface that this host has for components, and what in a manifest grants it. The
//! capabilities behind them need servers; this list needs none.

/// An interface that a component may import once its table grants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Without its version.
    pub interface: &'static str,
    pub version: &'static str,
    /// The table that grants it, below the component's own.
    pub table: &'static str,
    /// What to write there.
    pub grant: &'static str,
}

/// What is granted in the component's table itself.
const OWN: &str = "";
const TOOL: &str = ".tool.praxis";

const STORES: &str = "key_value_stores = [\"default\"]";
const VARIABLES: &str = "variables = { name = \"{{ name }}\" }";
const INDEXES: &str = "indexes = [\"…\"]";

pub const OFFERS: &[Offer] = &[
    offer(
        "spin:postgres/postgres",
        "4.2.0",
        OWN,
        "allowed_outbound_hosts = [\"postgres://host\"]",
    ),
    offer(
        "spin:redis/redis",
        "3.0.0",
        OWN,
        "allowed_outbound_hosts = [\"redis://host\"]",
    ),
    offer("spin:key-value/key-value", "3.0.0", OWN, STORES),
    offer("wasi:keyvalue/store", "0.2.0-draft2", OWN, STORES),
    offer("wasi:keyvalue/batch", "0.2.0-draft2", OWN, STORES),
    offer("wasi:keyvalue/atomics", "0.2.0-draft2", OWN, STORES),
    offer("spin:variables/variables", "3.0.0", OWN, VARIABLES),
    offer(
        "wasi:config/store",
        "0.2.0-draft-2024-09-27",
        OWN,
        VARIABLES,
    ),
    offer(
        "praxis:events/producer",
        "0.1.0",
        TOOL,
        "publishes = [\"…\"]",
    ),
    offer("praxis:index/documents", "0.1.0", TOOL, INDEXES),
    offer("praxis:index/generations", "0.1.0", TOOL, INDEXES),
    offer("praxis:index/search", "0.1.0", TOOL, INDEXES),
    offer(
        "praxis:delivery/email",
        "0.1.0",
        TOOL,
        "delivery = [\"email\"]",
    ),
    offer(
        "praxis:metrics/counters",
        "0.1.0",
        TOOL,
        "counters = [\"…\"]",
    ),
    offer("praxis:template/sandbox", "0.1.0", TOOL, "templates = true"),
    offer("praxis:delivery/sms", "0.1.0", TOOL, "delivery = [\"sms\"]"),
    offer(
        "praxis:delivery/push",
        "0.1.0",
        TOOL,
        "delivery = [\"push\"]",
    ),
    offer(
        "praxis:delivery/feedback",
        "0.1.0",
        TOOL,
        "delivery = [\"feedback\"]",
    ),
];

const fn offer(
    interface: &'static str,
    version: &'static str,
    table: &'static str,
    grant: &'static str,
) -> Offer {
    Offer {
        interface,
        version,
        table,
        grant,
    }
}

impl Offer {
    /// The offer behind an import, whatever its version.
    pub fn of(import: &str) -> Option<&'static Self> {
        let (interface, _) = versioned(import);
        OFFERS.iter().find(|offer| offer.interface == interface)
    }

    /// Whether an import of this version can be given.
    pub fn has_version(&self, import: &str) -> bool {
        let (_, version) = versioned(import);
        version.is_some_and(|version| track(version) == track(self.version))
    }
}

fn versioned(import: &str) -> (&str, Option<&str>) {
    match import.split_once('@') {
        Some((interface, version)) => (interface, Some(version)),
        None => (import, None),
    }
}

/// The part of a version within which newer ones do for older ones.
fn track(version: &str) -> &str {
    if version.contains('-') {
        return version;
    }
    let numbers = if version.starts_with("0.") { 2 } else { 1 };
    let end = version.match_indices('.').nth(numbers - 1);
    end.map_or(version, |(end, _)| &version[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_does_for_those_on_its_track() {
        let postgres = Offer::of("spin:postgres/postgres@4.0.0").unwrap();
        assert!(postgres.has_version("spin:postgres/postgres@4.0.0"));
        assert!(!postgres.has_version("spin:postgres/postgres@3.0.0"));
        assert!(!postgres.has_version("spin:postgres/postgres"));
        let events = Offer::of("praxis:events/producer@0.1.9").unwrap();
        assert!(events.has_version("praxis:events/producer@0.1.9"));
        assert!(!events.has_version("praxis:events/producer@0.2.0"));
        assert_eq!(Offer::of("spin:sqlite/sqlite@3.0.0"), None);
        assert_eq!(track("0.2.0-draft2"), "0.2.0-draft2");
    }
}
