//! Requests of components to others: each is asked, on every path that it may take.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use praxis_host::triggers::http::chain::Chain;
use tokio::net::TcpListener;

use crate::guest::{PROBE, WASI_02, component, see};

/// A server that remembers what came in.
#[derive(Clone, Default)]
struct Seen {
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Seen {
    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

/// `/redirect` leads to `elsewhere`, `/silent` never answers, `/drip` begins and goes no further;
/// every other path is answered with the length of the body.
async fn serve(elsewhere: String) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let noted = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            noted.connections.fetch_add(1, Ordering::SeqCst);
            let (noted, elsewhere) = (noted.clone(), elsewhere.clone());
            let service = service_fn(move |request| {
                let (noted, elsewhere) = (noted.clone(), elsewhere.clone());
                async move { Ok::<_, Infallible>(answer(request, &noted, &elsewhere).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, seen)
}

async fn answer(request: Request<Incoming>, seen: &Seen, elsewhere: &str) -> Response<Body> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").unwrap().to_str().unwrap();
    let line = format!("{} {host}{}", head.method, head.uri);
    let length = body.collect().await.unwrap().to_bytes().len();
    seen.requests.lock().unwrap().push(line);
    let path = head.uri.path().to_owned();
    let response = Response::builder();
    match path.as_str() {
        "/redirect" => response.status(302).header("location", elsewhere),
        "/silent" => std::future::pending().await,
        _ => response,
    }
    .body(match path.as_str() {
        "/drip" => {
            use futures::StreamExt as _;
            let first = Ok(Frame::data(Bytes::from_static(b"drop")));
            let frames = futures::stream::iter([first]).chain(futures::stream::pending());
            StreamBody::new(frames).boxed_unsync()
        }
        _ => Full::from(length.to_string()).boxed_unsync(),
    })
    .unwrap()
}

/// The component of WASI 0.3 and the one of 0.2, and the path under which each of them fetches.
const BOTH: [(&str, &str); 2] = [(PROBE, "/http/get"), (WASI_02, "/fetch")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_granted_is_sent_over_a_connection_that_is_kept() {
    for (source, path) in BOTH {
        let (address, seen) = serve(String::new()).await;
        let (guest, _http, _folder) = component(source, &[format!("http://{address}")], &[]);
        for n in 0..5 {
            let url = format!("http://{address}/{n}?q=%20");
            let text = see(&guest, path, Some(&url)).await;
            assert!(text.starts_with("200") && text.ends_with('0'), "{text}");
        }
        assert_eq!(seen.connections(), 1);
        assert_eq!(seen.requests()[4], format!("GET {address}/4?q=%20"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_methods_are_sent_as_they_are() {
    let (address, seen) = serve(String::new()).await;
    let (guest, _http, _folder) = component(PROBE, &[format!("http://{address}")], &[]);
    let url = format!("http://{address}/");
    let text = see(&guest, "/http/post", Some(&url)).await;
    assert_eq!(text, "200  1000000");
    let text = see(&guest, "/http/methods", Some(&url)).await;
    assert_eq!(text, "200  0");
    let methods: Vec<_> = seen
        .requests()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(methods, ["POST", "PUT", "PATCH", "DELETE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_handed_over_and_not_followed() {
    for (source, path) in BOTH {
        let (elsewhere, never) = serve(String::new()).await;
        let elsewhere = format!("http://{elsewhere}/");
        let (address, _) = serve(elsewhere.clone()).await;
        let (guest, _http, _folder) = component(source, &[format!("http://{address}")], &[]);
        let url = format!("http://{address}/redirect");
        let text = see(&guest, path, Some(&url)).await;
        assert!(text.starts_with("302"), "{text}");
        let text = see(&guest, path, Some(&elsewhere)).await;
        assert!(text.contains("HttpRequestDenied"), "{text}");
        assert_eq!(never.connections(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looks_like_a_granted_address_is_denied() {
    let (address, seen) = serve(String::new()).await;
    let port = address.port();
    let (other, never) = serve(String::new()).await;
    let other = other.port();
    for (source, path) in BOTH {
        let (guest, _http, _folder) = component(source, &[format!("http://{address}")], &[]);
        for url in [
            format!("http://127.0.0.1:{other}/"),
            format!("http://127.0.0.1:{port}@127.0.0.1:{other}/"),
            format!("http://localhost:{port}/"),
            format!("http://[::1]:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{other}/"),
            format!("http://127.0.0.1.:{port}/x"),
            format!("https://127.0.0.1:{port}/"),
            "http://self.alt/".to_owned(),
            "http://probe.spin.internal/".to_owned(),
        ] {
            let text = see(&guest, path, Some(&url)).await;
            let denied = text.contains("HttpRequestDenied") || text.contains("UriInvalid");
            // The dot at the end is no part of an address: it is the one that is granted.
            let is_granted = url.contains("1.:") && text.starts_with("200");
            assert!(denied || is_granted, "{url}: {text}");
        }
        // An address without a host never gets as far.
        let text = see(&guest, path, Some("/relative")).await;
        assert!(text.contains("UriInvalid"), "{text}");
    }
    assert_eq!(never.connections(), 0);
    assert!(seen.requests().iter().all(|line| line.contains("/x")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_in_the_address_is_not_sent_and_does_not_change_the_place() {
    let (address, seen) = serve(String::new()).await;
    let (guest, _http, _folder) = component(PROBE, &[format!("http://{address}")], &[]);
    let url = format!("http://user:secret@{address}/");
    let text = see(&guest, "/http/get", Some(&url)).await;
    assert!(text.starts_with("200"), "{text}");
    assert_eq!(seen.requests(), [format!("GET {address}/")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_networks_are_out_of_reach_by_address_and_by_name() {
    let (address, seen) = serve(String::new()).await;
    let port = address.port();
    let anywhere = ["http://*:*".to_owned()];
    for (source, path) in BOTH {
        let (guest, _http, _folder) = component(source, &anywhere, &["private"]);
        for url in [
            format!("http://{address}/"),
            format!("http://localhost:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            format!("http://2130706433:{port}/"),
            format!("http://[::1]:{port}/"),
        ] {
            let text = see(&guest, path, Some(&url)).await;
            assert!(text.contains("DestinationIpProhibited"), "{url}: {text}");
        }
    }
    assert_eq!(seen.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_itself_is_reached_where_self_is_granted() {
    let (address, seen) = serve(String::new()).await;
    for (source, path) in BOTH {
        let own = ["http://self".to_owned()];
        let (guest, http, _folder) = component(source, &own, &["private"]);
        let text = see(&guest, path, Some("http://self.alt/x")).await;
        assert!(text.contains("DestinationUnavailable"), "{text}");
        http.set_own(address, Arc::new(|path| path == "/dev/token"));
        for url in ["http://self.alt/there?q=1", "https://self.alt/there?q=1"] {
            let text = see(&guest, path, Some(url)).await;
            assert!(text.starts_with("200"), "{text}");
        }
    }
    let expected = format!("GET {address}/there?q=1");
    assert_eq!(seen.requests(), vec![expected; 4]);
}

/// In development the host gives this machine tokens with any role.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_component_asks_the_host_itself() {
    let (address, seen) = serve(String::new()).await;
    let port = address.port();
    for (source, path) in BOTH {
        let hosts = ["http://self", "*://*:*"].map(str::to_owned);
        let (guest, http, _folder) = component(source, &hosts, &[]);
        http.set_own(address, Arc::new(|path| path == "/dev/token"));
        for place in [
            "http://self.alt".to_owned(),
            "https://self.alt".to_owned(),
            format!("http://{address}"),
            format!("http://localhost:{port}"),
            format!("http://LOCALHOST.:{port}"),
            format!("http://user@127.1:{port}"),
            format!("http://127.1.2.3:{port}"),
            format!("http://0.0.0.0:{port}"),
            format!("http://[::1]:{port}"),
            format!("http://[::ffff:127.0.0.1]:{port}"),
        ] {
            let text = see(&guest, path, Some(&format!("{place}/dev/token?q"))).await;
            assert!(text.contains("HttpRequestDenied"), "{place}: {text}");
        }
        let text = see(&guest, path, Some("http://self.alt/dev/tokens")).await;
        assert!(text.starts_with("200"), "{text}");
    }
    let expected = format!("GET {address}/dev/tokens");
    assert_eq!(seen.requests(), vec![expected; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_asks_another_without_leaving_the_process() {
    let (second, _http, _folder) = component(WASI_02, &[], &[]);
    for (source, path) in BOTH {
        let hosts = ["http://second.spin.internal", "http://third.spin.internal"];
        let hosts = hosts.map(str::to_owned);
        let (guest, http, _folder) = component(source, &hosts, &[]);
        let guests = BTreeMap::from([("second".to_owned(), second.clone())]);
        http.set_components(Arc::new(Chain::new(&guests).unwrap()));
        let url = "http://second.spin.internal/there?q=1";
        let text = see(&guest, path, Some(url)).await;
        assert!(text.ends_with("WASI 0.2 saw /there?q=1"), "{text}");
        let text = see(&guest, path, Some("http://third.spin.internal/")).await;
        assert!(text.contains("DestinationNotFound"), "{text}");
        let text = see(&guest, path, Some("http://fourth.spin.internal/")).await;
        assert!(text.contains("HttpRequestDenied"), "{text}");
        if source == PROBE {
            let url = "http://second.spin.internal/headers";
            let text = see(&guest, "/http/header", Some(url)).await;
            assert!(text.contains(" probe "), "{text}");
            assert!(text.contains("spin-path-info"), "{text}");
            assert!(!text.contains("praxis-claims"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let (address, _) = serve(String::new()).await;
    let (guest, _http, _folder) = component(WASI_02, &[format!("http://{address}")], &[]);
    let silent = format!("http://{address}/silent");
    let text = see(&guest, "/impatient", Some(&silent)).await;
    assert!(text.contains("ConnectionReadTimeout"), "{text}");
    let drip = format!("http://{address}/drip");
    let text = see(&guest, "/impatient", Some(&drip)).await;
    assert_eq!(text, "200 broken: connection read timeout");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_on_the_way_is_named() {
    let nobody = crate::free_port();
    let anywhere = ["http://*:*".to_owned(), "https://*:*".to_owned()];
    let (address, _) = serve(String::new()).await;
    let (guest, _http, _folder) = component(PROBE, &anywhere, &[]);
    for (url, expected) in [
        (format!("http://127.0.0.1:{nobody}/"), "ConnectionRefused"),
        ("http://nowhere.invalid/".to_owned(), "DnsError"),
        (format!("https://{address}/"), "TlsProtocolError"),
    ] {
        let text = see(&guest, "/http/get", Some(&url)).await;
        assert!(text.contains(expected), "{url}: {text}");
    }
}

/// It accepts, and says nothing of TLS.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_not_made_in_time_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (guest, _http, _folder) = component(WASI_02, &[format!("https://{address}")], &[]);
    let silent = format!("https://{address}/");
    let text = see(&guest, "/impatient", Some(&silent)).await;
    assert!(text.contains("ConnectionTimeout"), "{text}");
}
