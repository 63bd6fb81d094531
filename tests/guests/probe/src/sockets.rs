//! Sockets, through WASI 0.2 (the standard library) and 0.3. The address is in the header
//! `probe-url`; what comes back from there is told, or the kind of error.

use std::any::Any;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use spin_sdk::http::Request;
use spin_sdk::wasip3::sockets::types::{
    ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket,
};

use crate::Seen;
use crate::http::header;

pub async fn case(case: &str, request: &Request) -> Seen {
    let address = header(request.headers(), "probe-url").ok_or("no probe-url")?;
    let seen = match case {
        "tcp" => tcp(&address),
        "tcp-03" => return Ok(tcp_03(address.parse()?).await),
        "udp" => udp(&address),
        "udp-connected" => udp_connected(&address),
        "listen" => TcpListener::bind(&address).map(|_| "listens".into()),
        "bind" => UdpSocket::bind(&address).map(|_| "is bound".into()),
        "name" => name(&address),
        "many" => return Ok(many(&address)),
        _ => return Err(format!("no case {case}").into()),
    };
    Ok(seen.unwrap_or_else(|error| format!("{:?}", error.kind())))
}

fn tcp(address: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"hello")?;
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn tcp_03(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        return "only IPv4 is tried".into();
    };
    let [a, b, c, d] = address.ip().octets();
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: address.port(),
        address: (a, b, c, d),
    });
    let connected: Result<(), ErrorCode> = match TcpSocket::create(IpAddressFamily::Ipv4) {
        Ok(socket) => socket.connect(address).await,
        Err(error) => Err(error),
    };
    format!("{connected:?}")
}

fn udp(address: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"hello", address)?;
    let mut bytes = [0; 8];
    let (length, _) = socket.recv_from(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

fn udp_connected(address: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    socket.send(b"hello")?;
    let mut bytes = [0; 8];
    let length = socket.recv(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

fn name(address: &str) -> io::Result<String> {
    let found = address.to_socket_addrs()?;
    Ok(if found.count() == 0 { "none" } else { "found" }.into())
}

/// Opens what there is of one kind until no more is given, and again once all is closed.
fn many(kind: &str) -> String {
    const MOST: usize = 2_000;
    let open = || -> Result<Box<dyn Any>, String> {
        Ok(match kind {
            "udp" => Box::new(UdpSocket::bind("0.0.0.0:0").map_err(|error| error.to_string())?),
            "tcp-03" => Box::new(
                TcpSocket::create(IpAddressFamily::Ipv4).map_err(|error| format!("{error:?}"))?,
            ),
            "udp-03" => Box::new(
                spin_sdk::wasip3::sockets::types::UdpSocket::create(IpAddressFamily::Ipv4)
                    .map_err(|error| format!("{error:?}"))?,
            ),
            "file" => Box::new(File::open("/data/a.txt").map_err(|error| error.to_string())?),
            _ => return Err(format!("no kind {kind}")),
        })
    };
    let until_full = || {
        let mut held = Vec::new();
        while held.len() < MOST {
            match open() {
                Ok(one) => held.push(one),
                Err(why) => return (held.len(), why),
            }
        }
        (held.len(), "no end".to_owned())
    };
    let (first, why) = until_full();
    let (second, _) = until_full();
    format!("{first}, again {second}: {why}")
}
