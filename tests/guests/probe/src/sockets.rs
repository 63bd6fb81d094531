//! Sockets, through WASI 0.2 (the standard library) and 0.3. The address is in the header
//! `probe-url`; what comes back from there is told, or the kind of error.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};

use spin_sdk::http::Request;
use spin_sdk::wasip3::sockets::types::{
    self, ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, TcpSocket,
};

use crate::http::header;
use crate::{Seen, until_no_more};

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
        "many" => return Ok(many(&address)?),
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

fn many(kind: &str) -> Result<String, String> {
    const V4: IpAddressFamily = IpAddressFamily::Ipv4;
    let code = |error: ErrorCode| format!("{error:?}");
    Ok(match kind {
        "udp" => until_no_more(|| UdpSocket::bind("0.0.0.0:0").map_err(|error| error.to_string())),
        "tcp-03" => until_no_more(|| TcpSocket::create(V4).map_err(code)),
        "udp-03" => until_no_more(|| types::UdpSocket::create(V4).map_err(code)),
        _ => return Err(format!("no kind {kind}")),
    })
}
