//! `allowed_outbound_hosts`: where a component may connect to. Nothing that is not granted.

mod authorities;
mod client;
mod connector;
mod http;
mod places;
mod sockets;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use crate::capabilities::variables::Variables;
use crate::manifest::grant::{Grant, Target};
use crate::manifest::limits::{OUTBOUND_CONNECTIONS, OUTBOUND_REQUESTS};
use crate::manifest::{self, Component, Manifest};

pub use self::authorities::Authorities;
pub use self::http::{Components, Http};
pub use self::sockets::Sockets;
pub use crate::manifest::network::Networks;

/// The grants of every component, read once at start-up.
#[derive(Debug, Default)]
pub struct Outbound {
    grants: BTreeMap<String, Arc<Grants>>,
    limits: Limits,
}

/// How much of it at one time.
#[derive(Debug, Default)]
struct Limits {
    /// Of one component, if it has a grant.
    requests_max: BTreeMap<String, usize>,
    all: manifest::limits::Limits,
}

impl Limits {
    /// Connections that are open before one is closed after its use.
    fn connections_max(&self) -> usize {
        self.all.count(&OUTBOUND_CONNECTIONS)
    }
}

impl Outbound {
    /// Fails with the component and the entry if one cannot be understood.
    pub fn resolve(manifest: &Manifest, variables: &Variables) -> anyhow::Result<Self> {
        let mut components = BTreeMap::new();
        let mut requests_max = BTreeMap::new();
        for (id, component) in &manifest.component {
            let grants = Grants::parse(&component.allowed_outbound_hosts, variables)
                .with_context(|| format!("in [component.{id}] allowed_outbound_hosts"))?;
            let max = component.tool.praxis.limits.count(&OUTBOUND_REQUESTS);
            requests_max.insert(id.clone(), max);
            components.insert(id.clone(), Arc::new(grants));
        }
        Ok(Self {
            grants: components,
            limits: Limits {
                requests_max,
                all: manifest.application.tool.praxis.limits.clone(),
            },
        })
    }

    /// A component's grants; none for one that the manifest does not have.
    pub fn of(&self, component: &Component) -> Arc<Grants> {
        self.grants.get(&component.id).cloned().unwrap_or_default()
    }
}

/// Where one component may connect to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Grants(Vec<Grant>);

impl Grants {
    /// Reads entries as Spin has them: `scheme://host[:port]`. The scheme may be `*`; the host `*`,
    /// `*.domain`, a network such as `10.0.0.0/8`, or `self`; the port `*` or a range `8000..9000`, and by
    /// default it is the scheme's own. `{{ name }}` stands for a variable. Of an entry that is a
    /// whole address, with credentials and path, only scheme, host and port count.
    pub fn parse(entries: &[String], variables: &Variables) -> anyhow::Result<Self> {
        let mut grants = Vec::with_capacity(entries.len());
        for entry in entries {
            // The entry as written: expanded, it may hold a password.
            let grant = variables
                .expand(entry)
                .and_then(|expanded| Grant::parse(&expanded))
                .with_context(|| format!("{entry:?} grants nothing"))?;
            grants.push(grant);
        }
        Ok(Self(grants))
    }

    /// Whether any host can be reached with the scheme.
    pub fn grants_any(&self, scheme: &str) -> bool {
        self.0.iter().any(|grant| grant.has_scheme(scheme))
    }

    /// Whether the address may be connected to by a capability that speaks `protocol`
    /// (`postgres`, `redis`, `http`). The address's own scheme must be of that protocol.
    pub fn allow(&self, protocol: &str, address: &str) -> Result<(), Refused> {
        self.target(protocol, address).map(drop)
    }

    /// Whether a socket may be connected to the address; `protocol` is `tcp` or `udp`.
    fn cover(&self, protocol: &str, address: SocketAddr) -> bool {
        let target = Target::socket(protocol, address);
        self.0.iter().any(|grant| grant.covers(&target))
    }

    /// Where an address leads, if it may be connected to.
    fn target(&self, protocol: &str, address: &str) -> Result<Target, Refused> {
        let unreadable = || Refused("the address is not a URL with a host".into());
        let url = Url::parse(address).map_err(|_| unreadable())?;
        let target = Target::of(&url).ok_or_else(unreadable)?;
        if !target.speaks(protocol) {
            return Err(Refused(format!("{target} is not an address of {protocol}")));
        }
        let is_granted = if target.is_own() {
            self.0.iter().any(|grant| grant.covers_own(protocol))
        } else {
            self.0.iter().any(|grant| grant.covers(&target))
        };
        if is_granted {
            Ok(target)
        } else {
            Err(Refused(format!(
                "{target} is not granted by allowed_outbound_hosts: write it there if the \
                 component is to reach it"
            )))
        }
    }
}

/// Why an address may not be connected to, without the credentials in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests;
