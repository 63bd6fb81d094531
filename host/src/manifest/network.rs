//! Ranges of addresses.

use std::net::IpAddr;

use anyhow::{Context as _, bail};

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// `None` if the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        (prefix <= bits(address)).then_some(Self { address, prefix })
    }

    /// Whether the address is the network's first, as in `10.0.0.0/8`.
    pub fn is_at_its_start(&self) -> bool {
        let (own, bits): (u128, u32) = match self.address {
            IpAddr::V4(own) => (own.to_bits().into(), 32),
            IpAddr::V6(own) => (own.to_bits(), 128),
        };
        let rest = bits - u32::from(self.prefix);
        rest == 0 || own.trailing_zeros() >= rest
    }

    pub fn of_one(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let prefix = bits(address);
        Self { address, prefix }
    }

    /// An IPv4 address may also be spelled in IPv6, `::ffff:10.0.0.1`.
    pub fn covers(&self, other: IpAddr) -> bool {
        let (difference, bits): (u128, u32) = match (self.address, other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => ((own.to_bits() ^ other.to_bits()).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let rest = bits - u32::from(self.prefix);
        difference.checked_shr(rest).unwrap_or(0) == 0
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// What `private` stands for: addresses that are not of the public Internet.
const PRIVATE: [&str; 22] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:db8::/32",
    "2002::/16",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Networks that no component may reach over HTTP or through sockets, whatever it is granted: names
/// that resolve to them count as well.
#[derive(Debug, Clone, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Reads entries such as `10.0.0.0/8`, `fe80::1` or `private`.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut networks = Vec::new();
        for entry in entries {
            if entry == "private" {
                for entry in PRIVATE {
                    networks.push(network(entry)?);
                }
            } else {
                networks.push(network(entry)?);
            }
        }
        Ok(Self(networks))
    }

    pub fn cover(&self, address: IpAddr) -> bool {
        let covers = |address| self.0.iter().any(|network| network.covers(address));
        covers(address) || translated(address).is_some_and(covers)
    }
}

/// Where a translator (NAT64) would send what is meant for `64:ff9b::/96`.
fn translated(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, inside @ ..] = address.octets() else {
        return None;
    };
    Some(IpAddr::from(inside))
}

fn network(entry: &str) -> anyhow::Result<Network> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (entry, None),
    };
    let unreadable =
        || format!("{entry:?} is neither \"private\" nor a network such as 10.0.0.0/8");
    let address: IpAddr = address.parse().with_context(unreadable)?;
    match prefix {
        None => Ok(Network::of_one(address)),
        Some(prefix) => match Network::new(address, prefix.parse().with_context(unreadable)?) {
            Some(network) => Ok(network),
            None => bail!(unreadable()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_spelling() {
        let private = Networks::parse(["private"]).unwrap();
        for address in [
            "127.0.0.1",
            "10.255.0.1",
            "172.31.0.1",
            "169.254.169.254",
            "::1",
            "::",
            "::ffff:192.168.0.1",
            "fd00::1",
            "fe80::1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "2002:a00:1::1",
        ] {
            assert!(private.cover(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "223.255.255.255",
            "172.32.0.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(!private.cover(address.parse().unwrap()), "{address}");
        }
        assert!(!Networks::default().cover("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn an_entry_that_is_no_network_is_named() {
        for entry in ["", "public", "10.0.0.0/33", "10.0.0.0/x", "::/129"] {
            let error = format!("{:#}", Networks::parse([entry]).unwrap_err());
            assert!(error.contains(&format!("{entry:?}")), "{error}");
        }
        let one = Networks::parse(["10.0.0.1"]).unwrap();
        assert!(one.cover("10.0.0.1".parse().unwrap()));
        assert!(!one.cover("10.0.0.2".parse().unwrap()));
    }
}
