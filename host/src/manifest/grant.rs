//! One entry of `allowed_outbound_hosts`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use anyhow::{Context as _, bail, ensure};
use url::Url;

use super::network::Network;

/// Hosts that are components of this application.
const CHAINED_SUFFIX: &str = ".spin.internal";
/// The application itself, where a URL must name a host.
const OWN_HOST: &str = "self.alt";

/// A scheme, a host and a port, each of which may be several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Any,
    /// The application's own routes.
    Own,
    Exact(String),
    /// Whatever ends in a dot and this.
    Below(String),
    Within(Network),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Any,
    Exact(u16),
    In(Range<u16>),
}

impl Grant {
    pub fn parse(entry: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = entry
            .split_once("://")
            .context("it is not of the form scheme://host[:port]")?;
        let scheme = match scheme {
            "*" => None,
            _ => {
                let named = !scheme.is_empty() && scheme.bytes().all(is_of_scheme);
                ensure!(named, "its scheme is malformed");
                Some(canonical(&scheme.to_ascii_lowercase()).to_owned())
            }
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let place = authority
            .rsplit_once('@')
            .map_or(authority, |(_, place)| place);
        let (host, mut port) = split_port(place)?;
        // What follows a port is a path: redis://127.0.0.1:6379/0 names a database.
        let may_be_network = port.is_none();
        // A network's port comes after its prefix: 10.0.0.0/8:443.
        let mut path = path;
        if let Some((prefix, after)) = path.split_once(':')
            && may_be_network
            && host.parse::<IpAddr>().is_ok()
        {
            path = prefix;
            port = Some(after);
        }
        let is_number =
            |prefix: &&str| !prefix.is_empty() && prefix.bytes().all(|c| c.is_ascii_digit());
        let prefix = path.strip_prefix('/').filter(is_number);
        let prefix = prefix.filter(|_| may_be_network);
        let names_databases = matches!(scheme.as_deref(), Some("redis" | "rediss" | "postgres"));
        ensure!(!host.is_empty(), "it names no host");
        let port = match (port, &scheme) {
            (Some(port), _) => Port::parse(port)?,
            (None, Some(scheme)) => match default_port(scheme) {
                Some(port) => Port::Exact(port),
                None => bail!("{scheme} has no default port: add one, or :*"),
            },
            (None, None) => Port::Any,
        };
        Ok(Self {
            scheme,
            host: Host::parse(host, prefix, names_databases)?,
            port,
        })
    }

    pub fn has_scheme(&self, scheme: &str) -> bool {
        self.scheme
            .as_deref()
            .is_none_or(|own| protocol(own) == protocol(scheme))
    }

    /// Whether a component may call another one of its application by a path alone.
    pub fn covers_own(&self, scheme: &str) -> bool {
        self.has_scheme(scheme) && matches!(self.host, Host::Own | Host::Any)
    }

    pub fn covers(&self, target: &Target) -> bool {
        self.scheme.as_ref().is_none_or(|own| *own == target.scheme)
            && self.host.covers(&target.host)
            && self.port.covers(target.port)
    }
}

fn is_of_scheme(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.')
}

fn split_port(place: &str) -> anyhow::Result<(&str, Option<&str>)> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) = bracketed
            .split_once(']')
            .context("its IPv6 address is not closed with ]")?;
        return match rest {
            "" => Ok((host, None)),
            _ => Ok((
                host,
                Some(rest.strip_prefix(':').context("its port is malformed")?),
            )),
        };
    }
    Ok(match place.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    })
}

impl Host {
    /// With the length of a network's prefix, or what may be the name of a database.
    fn parse(host: &str, prefix: Option<&str>, names_databases: bool) -> anyhow::Result<Self> {
        if host == "*" {
            return Ok(Self::Any);
        }
        if matches!(host, "self" | "self.alt") {
            return Ok(Self::Own);
        }
        if let Ok(address) = host.parse() {
            let one = Network::of_one(address);
            let Some(prefix) = prefix else {
                return Ok(Self::Within(one));
            };
            let network = prefix.parse().ok();
            let network = network.and_then(|prefix| Network::new(address, prefix));
            return match network {
                Some(network) if !names_databases || network.is_at_its_start() => {
                    Ok(Self::Within(network))
                }
                _ if names_databases => Ok(Self::Within(one)),
                Some(_) | None => bail!("its network's prefix is longer than its address"),
            };
        }
        let (below, name) = match host.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, host),
        };
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
        ensure!(
            !name.is_empty() && name.chars().all(is_name),
            "its host is neither *, *.domain, a name nor an IP address"
        );
        let name = name.to_lowercase();
        Ok(if below {
            Self::Below(name)
        } else {
            Self::Exact(name)
        })
    }

    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Own => false,
            Self::Exact(name) => name == host,
            Self::Below(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
            Self::Within(network) => host
                .parse()
                .is_ok_and(|address: IpAddr| network.covers(address)),
        }
    }
}

impl Port {
    fn parse(port: &str) -> anyhow::Result<Self> {
        if port == "*" {
            return Ok(Self::Any);
        }
        // What stands there is not said: of an address with "/" or "#" in its password, it is a part
        // of that.
        let number = |text: &str| {
            let number = text.parse::<u16>();
            number.context("its port is not a number below 65536")
        };
        match port.split_once("..") {
            Some((first, end)) => {
                let range = number(first)?..number(end)?;
                ensure!(!range.is_empty(), "its range of ports is empty");
                Ok(Self::In(range))
            }
            None => Ok(Self::Exact(number(port)?)),
        }
    }

    fn covers(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(own) => *own == port,
            Self::In(range) => range.contains(&port),
        }
    }
}

/// Where an address leads.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    scheme: String,
    host: String,
    port: u16,
}

impl Target {
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = canonical(url.scheme()).to_owned();
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            host: host.to_lowercase(),
            port: url.port().or_else(|| default_port(&scheme))?,
            scheme,
        })
    }

    /// An address without a name, of a transport protocol.
    pub fn socket(protocol: &str, address: SocketAddr) -> Self {
        Self {
            scheme: protocol.to_owned(),
            host: address.ip().to_canonical().to_string(),
            port: address.port(),
        }
    }

    /// The component's id, of an address such as `http://other.spin.internal`.
    pub fn component(&self) -> Option<&str> {
        self.host.strip_suffix(CHAINED_SUFFIX)
    }

    /// Whether it stands for the application itself, as `http://self.alt` does.
    pub fn is_own(&self) -> bool {
        self.host == OWN_HOST
    }

    /// Whether it leads to this listener by address, or as `localhost`.
    pub fn leads_to(&self, listener: SocketAddr) -> bool {
        let is_here = match self.host.parse::<IpAddr>() {
            Ok(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || ip.is_unspecified() || ip == listener.ip().to_canonical()
            }
            Err(_) => self.host.trim_end_matches('.') == "localhost",
        };
        is_here && self.port == listener.port()
    }

    /// `host:port`, as it stands in a URL, without the port that goes without saying.
    pub fn authority(&self) -> String {
        let port = match default_port(&self.scheme) {
            Some(port) if port == self.port => String::new(),
            _ => format!(":{}", self.port),
        };
        if self.host.contains(':') {
            format!("[{}]{port}", self.host)
        } else {
            format!("{}{port}", self.host)
        }
    }

    pub fn speaks(&self, name: &str) -> bool {
        protocol(&self.scheme) == protocol(name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// Two spellings of one scheme.
fn canonical(scheme: &str) -> &str {
    match scheme {
        "postgresql" => "postgres",
        other => other,
    }
}

/// A scheme without its encryption.
fn protocol(scheme: &str) -> &str {
    match canonical(scheme) {
        "https" => "http",
        "rediss" => "redis",
        other => other,
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "postgres" => 5432,
        "redis" | "rediss" => 6379,
        "http" => 80,
        "https" => 443,
        "mysql" => 3306,
        "mqtt" => 1883,
        _ => return None,
    })
}
