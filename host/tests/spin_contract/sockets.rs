//! Sockets of components: each address is asked for, whichever way it is used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use crate::guest::{PROBE, component, see};

/// Says back what it is told, over TCP and UDP on one port, and counts who came.
async fn echo() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let datagrams = UdpSocket::bind(address).await.unwrap();
    let visits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&visits);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut bytes = [0; 5];
                if stream.read_exact(&mut bytes).await.is_ok() {
                    let _ = stream.write_all(&bytes).await;
                }
            });
        }
    });
    let count = Arc::clone(&visits);
    tokio::spawn(async move {
        let mut bytes = [0; 8];
        loop {
            let (length, from) = datagrams.recv_from(&mut bytes).await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            datagrams.send_to(&bytes[..length], from).await.unwrap();
        }
    });
    (address, visits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_reaches_what_is_granted() {
    let (address, _) = echo().await;
    let url = address.to_string();
    for grants in [
        vec![format!("tcp://{address}"), format!("udp://{address}")],
        vec![format!("*://{address}")],
        vec!["*://127.0.0.0/8:*".to_owned()],
    ] {
        let (guest, _http, _folder) = component(PROBE, &grants, &[]);
        for (case, expected) in [
            ("/sockets/tcp", "hello"),
            ("/sockets/tcp-03", "Ok(())"),
            ("/sockets/udp", "hello"),
            ("/sockets/udp-connected", "hello"),
        ] {
            let seen = see(&guest, case, Some(&url)).await;
            assert_eq!(seen, expected, "{case} with {grants:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_reaches_nothing_else() {
    let (address, visits) = echo().await;
    let port = address.port();
    let url = address.to_string();
    for (grants, blocked) in [
        (vec![], vec![]),
        (vec![format!("http://{address}")], vec![]),
        (vec![format!("tcp://127.0.0.2:{port}")], vec![]),
        (vec!["*://10.0.0.0/8:*".to_owned()], vec![]),
        (vec![format!("*://localhost:{port}")], vec![]),
        (vec!["*://*:*".to_owned()], vec!["private"]),
    ] {
        let (guest, _http, _folder) = component(PROBE, &grants, &blocked);
        for case in ["tcp", "tcp-03", "udp", "udp-connected"] {
            let seen = see(&guest, &format!("/sockets/{case}"), Some(&url)).await;
            let is_denied = seen.contains("PermissionDenied") || seen.contains("AccessDenied");
            assert!(is_denied, "{case}: {seen} with {grants:?}");
        }
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_listens() {
    let (guest, _http, _folder) = component(PROBE, &["*://*:*".to_owned()], &[]);
    for (case, address) in [
        ("/sockets/listen", "127.0.0.1:0"),
        ("/sockets/listen", "0.0.0.0:0"),
        ("/sockets/bind", "127.0.0.1:0"),
        ("/sockets/bind", "0.0.0.0:53535"),
    ] {
        let seen = see(&guest, case, Some(address)).await;
        assert_eq!(seen, "PermissionDenied", "{case} {address}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_looked_up_only_for_those_who_may_connect() {
    for (grant, is_found) in [("tcp://127.0.0.1:1", true), ("http://*:*", false)] {
        let (guest, _http, _folder) = component(PROBE, &[grant.to_owned()], &[]);
        let seen = see(&guest, "/sockets/name", Some("localhost:1")).await;
        assert_eq!(seen == "found", is_found, "{grant}: {seen}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_opens_as_many_sockets_as_it_may() {
    let (guest, _http, _folder) = component(PROBE, &["*://*:*".to_owned()], &[]);
    for (kind, why) in [
        ("udp", "No file descriptors available"),
        ("tcp-03", "as many sockets and files open as it may"),
        ("udp-03", "as many sockets and files open as it may"),
    ] {
        let seen = see(&guest, "/sockets/many", Some(kind)).await;
        assert!(seen.starts_with("128, again 128: "), "{kind}: {seen}");
        assert!(seen.contains(why), "{kind}: {seen}");
    }
}
