//! `wasi:sockets`: connections to the addresses that are granted, and nothing that listens.
//!
//! A check sees addresses and no names, as in Spin: `tcp://10.0.0.0/8:5432`, `udp://*:53` and
//! `*://127.0.0.1:*` grant some, `tcp://db.local:5432` grants none.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use praxis_wasi::State;
use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::SocketAddrUse;

use super::{Grants, Networks, Outbound};
use crate::capabilities::Capability;
use crate::manifest::Component;
use crate::manifest::grant::Target;

const TCP: &str = "tcp";
const UDP: &str = "udp";

/// The capability: an instance that it never sees has no sockets.
pub struct Sockets {
    outbound: Arc<Outbound>,
    barred: Arc<Barred>,
}

/// What is out of reach, whatever is granted.
#[derive(Default)]
struct Barred {
    networks: Networks,
    /// Where the host listens: it answers there itself, too, and may trust who asks from this
    /// machine.
    own: OnceLock<SocketAddr>,
}

impl Barred {
    fn cover(&self, protocol: &str, address: SocketAddr) -> bool {
        let leads_to = |own| Target::socket(protocol, address).leads_to(own);
        self.networks.cover(address.ip()) || self.own.get().copied().is_some_and(leads_to)
    }
}

impl Sockets {
    /// `blocked` networks are out of reach, whatever is granted.
    pub fn new(outbound: Arc<Outbound>, blocked: Networks) -> Self {
        Self {
            outbound,
            barred: Arc::new(Barred {
                networks: blocked,
                own: OnceLock::new(),
            }),
        }
    }

    /// Where the application itself listens: no socket leads there. Said once.
    pub fn set_own(&self, address: SocketAddr) {
        self.barred.own.get_or_init(|| address);
    }
}

impl Capability for Sockets {
    /// None: the WASI linker has them.
    fn interfaces(&self) -> &'static [&'static str] {
        &[]
    }

    fn is_granted(&self, component: &Component) -> bool {
        let grants = self.outbound.of(component);
        grants.grants_any(TCP) || grants.grants_any(UDP)
    }

    fn link(&self, _: &mut Linker<State>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn prepare(&self, component: &Component, wasi: &mut WasiCtxBuilder) {
        let grants = self.outbound.of(component);
        wasi.allow_tcp(grants.grants_any(TCP));
        wasi.allow_udp(grants.grants_any(UDP));
        wasi.allow_ip_name_lookup(true);
        let barred = Arc::clone(&self.barred);
        let component = component.id.clone();
        wasi.socket_addr_check(move |address, what| {
            let is_allowed = is_allowed(&grants, &barred, address, what);
            if !is_allowed {
                tracing::warn!(component, %address, ?what, "a socket was refused");
            }
            Box::pin(std::future::ready(is_allowed))
        });
    }

    fn attach(&self, _: &Component, _: &mut State) {}
}

fn is_allowed(grants: &Grants, barred: &Barred, address: SocketAddr, what: SocketAddrUse) -> bool {
    let protocol = match what {
        // Whoever connects is bound to any free port first. Only `listen` would open it to others,
        // and datagrams are asked for one by one.
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
            return address.ip().is_unspecified() && address.port() == 0;
        }
        SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => return false,
        SocketAddrUse::TcpConnect => TCP,
        SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => UDP,
    };
    grants.cover(protocol, address) && !barred.cover(protocol, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capabilities::variables::Variables;

    #[test]
    fn a_socket_is_allowed_exactly_where_a_grant_covers_its_address() {
        use SocketAddrUse::{TcpAccept, TcpBind, TcpConnect, TcpListen, UdpBind, UdpSend};
        let table = [
            ("tcp://10.0.0.1:80", TcpConnect, "10.0.0.1:80", true),
            (
                "tcp://10.0.0.1:80",
                TcpConnect,
                "[::ffff:10.0.0.1]:80",
                true,
            ),
            ("tcp://10.0.0.1:80", TcpConnect, "10.0.0.1:81", false),
            ("tcp://10.0.0.1:80", TcpConnect, "10.0.0.2:80", false),
            ("tcp://10.0.0.1:80", UdpSend, "10.0.0.1:80", false),
            ("udp://10.0.0.1:80", UdpSend, "10.0.0.1:80", true),
            ("udp://10.0.0.1:80", TcpConnect, "10.0.0.1:80", false),
            ("tcp://10.0.0.0/8:80", TcpConnect, "10.1.2.3:80", true),
            ("tcp://[::1]:80", TcpConnect, "[::1]:80", true),
            ("tcp://*:80", TcpConnect, "10.0.0.1:80", true),
            ("*://10.0.0.1:80", TcpConnect, "10.0.0.1:80", true),
            ("*://*:*", UdpSend, "10.0.0.1:80", true),
            // What speaks a protocol of its own is granted to those who speak it.
            ("http://10.0.0.1:80", TcpConnect, "10.0.0.1:80", false),
            ("http://*:*", TcpConnect, "10.0.0.1:80", false),
            ("redis://10.0.0.1:80", TcpConnect, "10.0.0.1:80", false),
            ("tcp://name.local:80", TcpConnect, "10.0.0.1:80", false),
            ("*://self", TcpConnect, "127.0.0.1:80", false),
            // Blocked, whatever is granted.
            ("*://*:*", TcpConnect, "192.168.0.1:80", false),
            ("*://*:*", UdpSend, "[::ffff:192.168.0.1]:80", false),
            // So is the host itself, however it is named.
            ("*://*:*", TcpConnect, "127.0.0.1:3000", false),
            ("tcp://127.0.0.1:3000", TcpConnect, "127.0.0.1:3000", false),
            ("*://*:*", TcpConnect, "[::ffff:127.0.0.1]:3000", false),
            ("*://*:*", TcpConnect, "0.0.0.0:3000", false),
            ("*://*:*", TcpConnect, "[::1]:3000", false),
            ("*://*:*", TcpConnect, "127.0.0.1:3001", true),
            ("*://*:*", TcpConnect, "10.0.0.1:3000", true),
            // Nothing listens.
            ("*://*:*", TcpBind, "0.0.0.0:0", true),
            ("*://*:*", UdpBind, "[::]:0", true),
            ("*://*:*", TcpBind, "0.0.0.0:80", false),
            ("*://*:*", TcpBind, "127.0.0.1:0", false),
            ("*://*:*", UdpBind, "0.0.0.0:80", false),
            ("*://*:*", TcpListen, "0.0.0.0:0", false),
            ("*://*:*", TcpAccept, "10.0.0.1:80", false),
        ];
        let barred = Barred {
            networks: Networks::parse(["192.168.0.0/16"]).unwrap(),
            own: OnceLock::from("127.0.0.1:3000".parse::<SocketAddr>().unwrap()),
        };
        for (entry, what, address, expected) in table {
            let grants = Grants::parse(&[entry.to_owned()], &Variables::default()).unwrap();
            let seen = is_allowed(&grants, &barred, address.parse().unwrap(), what);
            assert_eq!(seen, expected, "{entry} {what:?} {address}");
        }
    }
}
