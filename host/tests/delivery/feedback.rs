//! `capabilities::delivery::feedback`: who is believed, with messages that another implementation
//! signed and a certificate that is fetched over TLS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use praxis_host::capabilities::delivery::feedback::{Error, Feedback, Hosts, Outcome, Trust};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Authority;
use crate::tools;

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:bounces";

/// Who signs: `sign.py`.
struct Signer {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// PEM
    certificate: String,
}

impl Signer {
    fn start(folder: &TempDir) -> Self {
        let path = folder.path().join("signer.pem");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/delivery/sign.py");
        let mut child = Command::new(tools::tool("../venv/bin/python"))
            .arg(script)
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut signer = Self {
            asked: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            certificate: String::new(),
        };
        assert_eq!(signer.line().trim(), "");
        signer.certificate = std::fs::read_to_string(path).unwrap();
        signer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).unwrap() > 0);
        line
    }

    fn sign(&mut self, message: &Value) -> Value {
        writeln!(self.asked, "{message}").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where SNS would be: what it serves, and which paths were asked.
struct Place {
    /// `127.0.0.1:…`
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Place {
    async fn serve(authority: &Authority, files: HashMap<&'static str, String>) -> Self {
        let identity = authority.sign();
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let files = Arc::new(files);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, noted, files) = (acceptor.clone(), noted.clone(), files.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let service = service_fn(move |request: http::Request<Incoming>| {
                        let path = request.uri().path_and_query().unwrap().to_string();
                        let file = files.get(&*path).cloned();
                        noted.lock().unwrap().push(path);
                        let status = match file {
                            Some(_) => StatusCode::OK,
                            None => StatusCode::NOT_FOUND,
                        };
                        let body = Full::<Bytes>::from(file.unwrap_or_default());
                        let mut response = Response::new(body);
                        *response.status_mut() = status;
                        async { Ok::<_, Infallible>(response) }
                    });
                    let stream = TokioIo::new(stream);
                    let _ = http1::Builder::new()
                        .serve_connection(stream, service)
                        .await;
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

/// All of it.
struct World {
    signer: Signer,
    place: Place,
    feedback: Feedback,
    _folder: TempDir,
}

const CONFIRM: &str = "/?Action=ConfirmSubscription&Token=abc";

async fn world() -> World {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = TempDir::new().unwrap();
    let signer = Signer::start(&folder);
    let authority = Authority::new("ours");
    let files = [
        ("/sns.pem", signer.certificate.clone()),
        ("/other.pem", authority.sign().certificate),
        ("/nothing.pem", "nothing".into()),
        (CONFIRM, "<ConfirmSubscriptionResponse/>".into()),
    ];
    let place = Place::serve(&authority, files.into()).await;
    let feedback = Feedback::new(Trust {
        topics: vec![TOPIC.into()],
        hosts: Hosts::Only(place.address.clone()),
        authorities: Some(authority.pem().into_bytes()),
    });
    World {
        signer,
        place,
        feedback: feedback.unwrap(),
        _folder: folder,
    }
}

impl World {
    /// A bounce, as SNS brings it, not signed yet.
    fn bounce(&self) -> Value {
        let told = json!({
            "notificationType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{ "emailAddress": "ann@example.com" }],
            },
            "mail": { "messageId": "0100-abc" },
        });
        json!({
            "Type": "Notification",
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": TOPIC,
            "Subject": "Amazon SES Email Event Notification",
            "Message": told.to_string(),
            "Timestamp": "2026-11-23T00:41:19.000Z",
            "SignatureVersion": "2",
            "SigningCertURL": self.place.url("/sns.pem"),
            "UnsubscribeURL": self.place.url("/?Action=Unsubscribe"),
        })
    }

    async fn is_untrusted(&self, message: &Value) -> bool {
        let answer = self.feedback.sns(message.to_string().as_bytes()).await;
        matches!(answer, Err(Error::Untrusted(_)))
    }
}

fn with(mut message: Value, name: &str, value: &str) -> Value {
    message[name] = value.into();
    message
}

#[tokio::test]
async fn what_sns_signed_is_believed_by_either_digest_and_its_certificate_fetched_once() {
    let mut world = world().await;
    for version in ["1", "2"] {
        let message = with(world.bounce(), "SignatureVersion", version);
        let mut without_subject = message.clone();
        without_subject.as_object_mut().unwrap().remove("Subject");
        for message in [message, without_subject] {
            let signed = world.signer.sign(&message).to_string();
            let reports = world.feedback.sns(signed.as_bytes()).await.unwrap();
            assert_eq!(reports.len(), 1);
            assert_eq!(reports[0].outcome, Outcome::Bounced);
            assert_eq!(reports[0].provider_id, "0100-abc");
            assert_eq!(reports[0].addresses, ["ann@example.com"]);
        }
    }
    assert_eq!(world.place.asked(), ["/sns.pem"]);
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_not_believed() {
    let mut world = world().await;
    for version in ["1", "2"] {
        let message = with(world.bounce(), "SignatureVersion", version);
        let signed = world.signer.sign(&message);
        for (name, value) in [
            ("Message", "{}"),
            ("MessageId", "another"),
            ("Subject", "another"),
            ("Timestamp", "2027-11-23T00:41:19.000Z"),
            ("Signature", "AAAA"),
            ("Signature", ""),
            ("SignatureVersion", if version == "1" { "2" } else { "1" }),
        ] {
            let changed = with(signed.clone(), name, value);
            assert!(world.is_untrusted(&changed).await, "{version} {name}");
        }
        assert!(!world.is_untrusted(&signed).await);
    }
}

#[tokio::test]
async fn another_topic_or_another_place_of_the_certificate_is_refused_and_nothing_fetched() {
    let mut world = world().await;
    let port = world.place.address.rsplit_once(':').unwrap().1.to_owned();
    let topic = "arn:aws:sns:eu-central-1:999999999999:bounces";
    let wrong = [
        ("TopicArn", topic.to_owned()),
        (
            "SigningCertURL",
            format!("https://localhost:{port}/sns.pem"),
        ),
        ("SigningCertURL", world.place.url("/sns.crt")),
        (
            "SigningCertURL",
            world.place.url("/sns.pem").replace("https", "http"),
        ),
        (
            "SigningCertURL",
            "https://sns.eu-central-1.amazonaws.com/sns.pem".into(),
        ),
        ("SigningCertURL", "no address".into()),
    ];
    for (name, value) in wrong {
        let signed = world.signer.sign(&with(world.bounce(), name, &value));
        assert!(world.is_untrusted(&signed).await, "{name} {value}");
    }
    assert!(world.place.asked().is_empty(), "{:?}", world.place.asked());
}

#[tokio::test]
async fn anothers_certificate_is_refused_and_none_at_all_is_a_matter_of_time() {
    let mut world = world().await;
    let others = with(
        world.bounce(),
        "SigningCertURL",
        &world.place.url("/other.pem"),
    );
    let signed = world.signer.sign(&others);
    assert!(world.is_untrusted(&signed).await);
    for path in ["/nothing.pem", "/not-there.pem"] {
        let message = with(world.bounce(), "SigningCertURL", &world.place.url(path));
        let signed = world.signer.sign(&message).to_string();
        let answer = world.feedback.sns(signed.as_bytes()).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_subscription_is_confirmed_where_sns_is_and_nowhere_else() {
    let mut world = world().await;
    let confirmation = |url: &str| {
        json!({
            "Type": "SubscriptionConfirmation",
            "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
            "Token": "abc",
            "TopicArn": TOPIC,
            "Message": "You have chosen to subscribe.",
            "SubscribeURL": url,
            "Timestamp": "2026-11-23T00:41:19.000Z",
            "SignatureVersion": "1",
            "SigningCertURL": world.place.url("/sns.pem"),
        })
    };
    let good = confirmation(&world.place.url(CONFIRM));
    let elsewhere = confirmation("https://example.com/?Action=ConfirmSubscription");
    let gone = confirmation(&world.place.url("/?Action=Another"));

    let unsigned = with(good.clone(), "Signature", "AAAA");
    assert!(world.is_untrusted(&unsigned).await);
    assert_eq!(world.place.asked(), ["/sns.pem"]);
    let signed = world.signer.sign(&elsewhere);
    assert!(world.is_untrusted(&signed).await);
    let signed = world.signer.sign(&good).to_string();
    assert_eq!(world.feedback.sns(signed.as_bytes()).await.unwrap(), []);
    assert_eq!(world.place.asked(), ["/sns.pem", CONFIRM]);
    let signed = world.signer.sign(&gone).to_string();
    let answer = world.feedback.sns(signed.as_bytes()).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_message_of_sns_is_malformed_and_is_not_repeated() {
    let world = world().await;
    let bounce = world.bounce();
    let huge = "x".repeat((1 << 20) + 1);
    for body in [
        "",
        "{}",
        "[]",
        "ann@example.com",
        &huge,
        &with(bounce.clone(), "Type", "Another").to_string(),
        &with(bounce, "SignatureVersion", "3").to_string(),
    ] {
        let answer = world.feedback.sns(body.as_bytes()).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{error:?}");
        assert!(!format!("{error:?}").contains("ann@"), "{error:?}");
    }
    assert!(world.place.asked().is_empty());
}
