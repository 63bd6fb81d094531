//! `capabilities::delivery::smtp` against a real mail server, and against one that refuses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use praxis_host::capabilities::delivery::rates::Rates;
use praxis_host::capabilities::delivery::smtp::Smtp;
use praxis_host::capabilities::delivery::{Email, EmailChannel, Error};
use praxis_servers::Server;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::certificates::Authority;
use crate::mail::email;
use crate::tools;

const DEADLINE: Duration = Duration::from_secs(10);

fn channel(url: &str) -> EmailChannel {
    trusting(url, None)
}

fn trusting(url: &str, authorities: Option<&[u8]>) -> EmailChannel {
    let smtp = Smtp::new(url, "Shops <shops@example.com>", authorities).unwrap();
    EmailChannel::new(Arc::new(smtp), Rates::default())
}

async fn server(folder: &TempDir) -> Server {
    // Not a link to it: a virtual environment's Python finds its packages by its own path.
    let python = tools::tool("../venv/bin/python");
    praxis_servers::smtp::start(&python, folder.path())
        .await
        .unwrap()
}

/// What the server printed, once it has so many mails.
async fn mails(server: &Server, count: usize) -> String {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(server.log()).unwrap();
        if text.matches("END MESSAGE").count() >= count {
            return text;
        }
        assert!(begun.elapsed() < DEADLINE, "no {count} mails in\n{text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_mail_arrives_with_both_bodies_and_a_lasting_message_id() {
    let folder = TempDir::new().unwrap();
    let server = server(&folder).await;
    let channel = channel(&server.url());
    let email = Email {
        html: Some("<p>Guten Tag</p>".into()),
        ..email("key-1")
    };
    let first = channel.send(&email).await.unwrap();
    let again = channel.send(&email).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(first.provider, "smtp");
    let log = mails(&server, 2).await;
    let message_id = format!("Message-ID: <{}>", first.provider_id);
    assert_eq!(log.matches(&message_id).count(), 2, "{log}");
    for part in [
        "To: Ann <ann@example.com>",
        "multipart/alternative",
        "<p>Guten Tag</p>",
    ] {
        assert!(log.contains(part), "no {part:?} in\n{log}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_until_it_is_back() {
    let folder = TempDir::new().unwrap();
    let mut server = server(&folder).await;
    let channel = channel(&server.url());
    channel.send(&email("key-1")).await.unwrap();
    server.kill().await;
    let refused = channel.send(&email("key-2")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    server.start_again().await.unwrap();
    // The pool may still hold the old connection: it is found out by the first who uses it.
    let begun = Instant::now();
    while let Err(error) = channel.send(&email("key-2")).await {
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        assert!(begun.elapsed() < DEADLINE, "{error:?}");
    }
}

#[tokio::test]
async fn a_mail_goes_over_tls_to_a_server_that_shows_who_it_is_and_to_no_other() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let identity = ours.sign();
    let (certificate, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, identity.certificate).unwrap();
    std::fs::write(&key, identity.key).unwrap();
    let python = tools::tool("../venv/bin/python");
    let place = folder.path().join("server");
    let server = praxis_servers::smtp::start_tls(&python, &place, &certificate, &key)
        .await
        .unwrap();
    let others = theirs.pem();
    for authorities in [None, Some(others.as_bytes())] {
        let channel = trusting(&server.url(), authorities);
        let refused = channel.send(&email("key-1")).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    let channel = trusting(&server.url(), Some(ours.pem().as_bytes()));
    channel.send(&email("key-2")).await.unwrap();
    let log = mails(&server, 1).await;
    assert!(log.contains("To: Ann <ann@example.com>"), "{log}");
    assert_eq!(log.matches("END MESSAGE").count(), 1, "{log}");

    // The same server without TLS takes nothing, so it was TLS.
    let plain = server.url().replace("?tls=required", "");
    let refused = self::channel(&plain).send(&email("key-3")).await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn the_servers_answer_says_what_to_do_and_never_names_the_recipient() {
    let cases = [
        (
            "RCPT",
            "550 5.1.1 <ann@example.com>: no such user",
            "bad address",
        ),
        (
            "RCPT",
            "450 4.2.1 <ann@example.com>: mailbox is busy",
            "unavailable",
        ),
        ("DATA", "554 5.7.1 refused by policy", "rejected"),
        ("MAIL", "421 4.3.2 closing down", "unavailable"),
        (
            "MAIL",
            "454 Throttling failure: Maximum sending rate exceeded.",
            "throttled",
        ),
    ];
    for (command, answer, expected) in cases {
        let url = refusing(command, answer).await;
        let error = channel(&url).send(&email("key-1")).await.unwrap_err();
        let kind = match &error {
            Error::BadAddress(_) => "bad address",
            Error::Rejected(_) => "rejected",
            Error::Throttled(_) => "throttled",
            Error::Unavailable(_) => "unavailable",
        };
        assert_eq!(kind, expected, "{answer}");
        assert!(!format!("{error:?}").contains("ann@"), "{error:?}");
    }
}

/// A server that answers one command like that, and all others well.
async fn refusing(command: &'static str, answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 here\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            let answer = if line.starts_with(command) {
                answer
            } else if line.starts_with("QUIT") {
                "221 bye"
            } else {
                "250 ok"
            };
            if writer
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .is_err()
            {
                break;
            }
        }
    });
    url
}
