//! Requests of components over TLS, with a real handshake.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use praxis_host::capabilities::outbound::Authorities;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Identity};
use crate::guest::{PROBE, WASI_02, see, trusting};

/// The component of WASI 0.3 and the one of 0.2, and the path under which each of them fetches.
const BOTH: [(&str, &str); 2] = [(PROBE, "/http/get"), (WASI_02, "/fetch")];

/// A server that says which version of HTTP was spoken, and counts the requests.
async fn serve(identity: &Identity, protocols: &[&str]) -> (SocketAddr, Arc<AtomicUsize>) {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                // A client that does not trust us goes away.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
                let service = service_fn(move |request: http::Request<Incoming>| {
                    count.fetch_add(1, Ordering::SeqCst);
                    let text = format!("{:?} {}", request.version(), request.uri().path());
                    async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(text))) }
                });
                let stream = TokioIo::new(stream);
                let _ = if is_http_2 {
                    let builder = http2::Builder::new(TokioExecutor::new());
                    builder.serve_connection(stream, service).await
                } else {
                    http1::Builder::new()
                        .serve_connection(stream, service)
                        .await
                };
            });
        }
    });
    (address, requests)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_spoken_where_a_tls_server_offers_it() {
    let authority = Authority::new("ours");
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], "HTTP/2.0"),
        (&["http/1.1"], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let (address, requests) = serve(&authority.sign(), protocols).await;
        for (source, path) in BOTH {
            let hosts = [format!("https://{address}")];
            let trusted = Authorities::and(authority.pem().as_bytes()).unwrap();
            let (guest, _http, _folder) = trusting(source, &hosts, &[], trusted);
            let text = see(&guest, path, Some(&format!("https://{address}/there"))).await;
            assert!(text.starts_with("200"), "{text}");
            assert!(
                text.ends_with(&format!("{version} /there")),
                "{protocols:?}: {text}"
            );
        }
        assert_eq!(requests.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_show_who_it_is_is_sent_nothing() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let trusted = || Authorities::and(ours.pem().as_bytes()).unwrap();
    let (good, expired) = (ours.sign(), ours.sign_until(2020));
    for (what, identity, authorities, host) in [
        (
            "an unknown authority",
            &good,
            Authorities::default(),
            "127.0.0.1",
        ),
        ("another authority", &theirs.sign(), trusted(), "127.0.0.1"),
        ("another name", &good, trusted(), "localhost"),
        ("an old certificate", &expired, trusted(), "127.0.0.1"),
    ] {
        let (address, requests) = serve(identity, &["h2", "http/1.1"]).await;
        let place = format!("https://{host}:{}", address.port());
        for (source, path) in BOTH {
            let hosts = [place.clone()];
            let (guest, _http, _folder) = trusting(source, &hosts, &[], authorities.clone());
            let text = see(&guest, path, Some(&format!("{place}/"))).await;
            assert!(text.contains("TlsCertificateError"), "{what}: {text}");
        }
        assert_eq!(requests.load(Ordering::SeqCst), 0, "{what}");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (pem, expected) in [
        ("", "no certificate"),
        ("x", "no certificate"),
        (broken, "certificate 1"),
    ] {
        let error = Authorities::and(pem.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{pem:?}: {error}");
    }
}
