//! `capabilities::delivery::catcher`: what would be sent is kept, once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use praxis_host::capabilities::delivery::catcher::Catcher;
use praxis_host::capabilities::delivery::rates::Rates;
use praxis_host::capabilities::delivery::{
    Attachment, Calendar, CalendarMethod, Email, EmailChannel, Error, Push, PushChannel, Sms,
    SmsChannel, page,
};
use tempfile::TempDir;

use crate::mail::email;

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn catcher(folder: &TempDir) -> Catcher {
    Catcher::open(folder.path(), "Shops <shops@example.com>", noon).unwrap()
}

fn emails(catcher: &Catcher) -> EmailChannel {
    EmailChannel::new(Arc::new(catcher.clone()), Rates::default())
}

#[tokio::test]
async fn the_same_key_is_kept_once_with_the_same_receipt() {
    let folder = TempDir::new().unwrap();
    let catcher = catcher(&folder);
    let channel = emails(&catcher);
    let first = channel.send(&email("key-1")).await.unwrap();
    let again = channel.send(&email("key-1")).await.unwrap();
    let other = channel.send(&email("key-2")).await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_eq!(catcher.list().len(), 2);
}

#[tokio::test]
async fn a_restart_keeps_what_was_caught_and_the_keys() {
    let folder = TempDir::new().unwrap();
    let before = emails(&catcher(&folder))
        .send(&email("key-1"))
        .await
        .unwrap();
    let catcher = catcher(&folder);
    assert_eq!(catcher.list().len(), 1);
    assert_eq!(
        emails(&catcher).send(&email("key-1")).await.unwrap(),
        before
    );
    assert_eq!(catcher.list().len(), 1);
    assert_eq!(catcher.find(&before.provider_id).unwrap().to, email("").to);
}

#[tokio::test]
async fn the_mail_itself_is_kept_as_it_would_be_sent() {
    let folder = TempDir::new().unwrap();
    let calendar = Attachment {
        file_name: "visit.ics".into(),
        content_type: "text/calendar; method=REQUEST; charset=utf-8".into(),
        content: b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_vec(),
    };
    let email = Email {
        html: Some("<p>Grüße</p>".into()),
        attachments: vec![calendar],
        reply_to: Some("help@example.com".into()),
        ..email("key-1")
    };
    let receipt = emails(&catcher(&folder)).send(&email).await.unwrap();
    let path = folder.path().join(format!("{}.eml", receipt.provider_id));
    let mail = std::fs::read_to_string(path).unwrap();
    for part in [
        "From: Shops <shops@example.com>\r\n",
        "To: Ann <ann@example.com>\r\n",
        "Reply-To: help@example.com\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Message-ID: <",
        "@example.com>\r\n",
        "Content-Type: multipart/mixed",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "Content-Type: text/calendar; method=REQUEST; charset=utf-8",
        "BEGIN:VCALENDAR",
    ] {
        assert!(mail.contains(part), "no {part:?} in\n{mail}");
    }
}

/// The headers' lines, unfolded.
fn lines(mail: &str) -> Vec<String> {
    let (head, _) = mail.split_once("\r\n\r\n").unwrap();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.split("\r\n").map(str::to_owned).collect()
}

#[tokio::test]
async fn an_invitation_stands_beside_the_texts_and_is_attached() {
    let folder = TempDir::new().unwrap();
    let calendar = Calendar {
        method: CalendarMethod::Request,
        content: "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n".into(),
    };
    let email = Email {
        html: Some("<p>Guten Tag</p>".into()),
        calendar: Some(calendar),
        ..email("key-1")
    };
    let receipt = emails(&catcher(&folder)).send(&email).await.unwrap();
    let path = folder.path().join(format!("{}.eml", receipt.provider_id));
    let mail = std::fs::read_to_string(path).unwrap();
    // In this order: a program shows the last alternative that it knows.
    let mut rest = &mail[..];
    for part in [
        "Content-Type: multipart/mixed",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "Content-Type: text/calendar; charset=utf-8; method=REQUEST",
        "METHOD:REQUEST",
        "Content-Disposition: attachment; filename=\"invite.ics\"",
        "Content-Type: application/ics",
        "METHOD:REQUEST",
    ] {
        let Some(at) = rest.find(part) else {
            panic!("no {part:?}, or not there, in\n{mail}");
        };
        rest = &rest[at + part.len()..];
    }
    assert_eq!(mail.matches("text/calendar").count(), 1, "{mail}");

    let plain = Email {
        html: None,
        idempotency_key: "key-2".into(),
        ..email
    };
    let receipt = emails(&catcher(&folder)).send(&plain).await.unwrap();
    let path = folder.path().join(format!("{}.eml", receipt.provider_id));
    let mail = std::fs::read_to_string(path).unwrap();
    assert!(mail.contains("multipart/alternative"), "{mail}");
}

#[tokio::test]
async fn a_mail_says_whose_it_is_and_how_to_have_no_more_of_it() {
    let folder = TempDir::new().unwrap();
    let address = format!("https://example.com/unsubscribe/{}", "x".repeat(800));
    let email = Email {
        sender_name: Some("Prüfstelle, \"Nord\"".into()),
        unsubscribe: Some(address.clone()),
        ..email("key-1")
    };
    let receipt = emails(&catcher(&folder)).send(&email).await.unwrap();
    let path = folder.path().join(format!("{}.eml", receipt.provider_id));
    let mail = std::fs::read_to_string(path).unwrap();
    let lines = lines(&mail);
    let from = lines
        .iter()
        .find(|line| line.starts_with("From: "))
        .unwrap();
    assert!(from.ends_with("<shops@example.com>"), "{from}");
    assert!(!from.contains("Shops"), "{from}");
    assert!(
        lines.contains(&format!("List-Unsubscribe: <{address}>")),
        "{mail}"
    );
    let click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click";
    assert!(lines.iter().any(|line| line == click), "{mail}");
    assert!(mail.lines().all(|line| line.len() <= 998), "{mail}");
}

#[tokio::test]
async fn a_line_break_gets_into_no_header() {
    let folder = TempDir::new().unwrap();
    let catcher = catcher(&folder);
    let channel = emails(&catcher);
    for to in [
        "ann@example.com\r\nBcc: eve@example.com",
        "\"Ann\r\nBcc: eve@example.com\" <ann@example.com>",
        "ann@example.com\n",
        "no address",
        "",
    ] {
        let refused = channel
            .send(&Email {
                to: to.into(),
                ..email("key")
            })
            .await;
        assert!(
            matches!(refused, Err(Error::BadAddress(_))),
            "{to:?}: {refused:?}"
        );
    }
    let attachment = |file_name: &str, content_type: &str| {
        vec![Attachment {
            file_name: file_name.into(),
            content_type: content_type.into(),
            content: Vec::new(),
        }]
    };
    let unsubscribe = |address: &str| Email {
        unsubscribe: Some(address.into()),
        ..email("key")
    };
    let calendar = |content: &str| Email {
        calendar: Some(Calendar {
            method: CalendarMethod::Publish,
            content: content.into(),
        }),
        ..email("key")
    };
    let refused = [
        Email {
            subject: "Hello\r\nBcc: eve@example.com".into(),
            ..email("key")
        },
        Email {
            subject: "x".repeat(999),
            ..email("key")
        },
        Email {
            reply_to: Some("a@example.com\r\nX: y".into()),
            ..email("key")
        },
        Email {
            attachments: attachment("a\r\nX: y", "text/plain"),
            ..email("key")
        },
        Email {
            attachments: attachment("a", "text/plain\r\nX: y"),
            ..email("key")
        },
        Email {
            attachments: attachment("a", "nothing"),
            ..email("key")
        },
        Email {
            attachments: vec![attachment("a", "text/plain").remove(0); 11],
            ..email("key")
        },
        Email {
            text: "x".repeat((1 << 20) + 1),
            ..email("key")
        },
        email(""),
        Email {
            owner: String::new(),
            ..email("key")
        },
        Email {
            sender_name: Some("Shops\r\nBcc: eve@example.com".into()),
            ..email("key")
        },
        unsubscribe("https://example.com/\r\nBcc: eve@example.com"),
        unsubscribe("https://example.com/> , <mailto:eve@example.com"),
        unsubscribe("http://example.com/in-the-clear"),
        unsubscribe("mailto:eve@example.com"),
        unsubscribe("https://example.com/ü"),
        unsubscribe(&format!("https://example.com/{}", "x".repeat(900))),
        calendar("BEGIN:VCARD\r\n"),
        calendar(&format!("BEGIN:VCALENDAR\r\n{}", "x".repeat(64 << 10))),
    ];
    for email in refused {
        let answer = channel.send(&email).await;
        assert!(matches!(answer, Err(Error::Rejected(_))), "{answer:?}");
    }
    assert!(catcher.list().is_empty());
}

#[tokio::test]
async fn text_messages_and_push_notifications_are_caught_too() {
    let folder = TempDir::new().unwrap();
    let catcher = catcher(&folder);
    let sms = Sms {
        owner: "shops".into(),
        idempotency_key: "key-1".into(),
        to: "+4989123456".into(),
        text: "Open at nine".into(),
    };
    let push = Push {
        owner: "shops".into(),
        idempotency_key: "key-1".into(),
        to: "device-1".into(),
        title: "Open".into(),
        text: "at nine".into(),
    };
    let channel = SmsChannel::new(Some(Arc::new(catcher.clone())), Rates::default());
    for to in [
        "089123456",
        "+0123456",
        "+49 89",
        "+1234567890123456",
        "",
        "+",
    ] {
        let refused = channel
            .send(&Sms {
                to: to.into(),
                ..sms.clone()
            })
            .await;
        assert!(matches!(refused, Err(Error::BadAddress(_))), "{to:?}");
    }
    let long = channel
        .send(&Sms {
            text: "x".repeat(1_601),
            ..sms.clone()
        })
        .await;
    assert!(matches!(long, Err(Error::Rejected(_))));
    channel.send(&sms).await.unwrap();
    channel.send(&sms).await.unwrap();
    let channel = PushChannel::new(Some(Arc::new(catcher.clone())), Rates::default());
    channel.send(&push).await.unwrap();
    let mut channels: Vec<_> = catcher.list().iter().map(|it| it.channel.clone()).collect();
    channels.sort();
    assert_eq!(channels, ["push", "sms"]);

    let nobody = SmsChannel::new(None, Rates::default()).send(&sms).await;
    assert!(matches!(nobody, Err(Error::Rejected(_))), "{nobody:?}");
    let nobody = PushChannel::new(None, Rates::default()).send(&push).await;
    assert!(matches!(nobody, Err(Error::Rejected(_))), "{nobody:?}");
}

#[tokio::test]
async fn the_pages_show_everything_and_run_nothing() {
    let folder = TempDir::new().unwrap();
    let catcher = catcher(&folder);
    assert!(page::list(&catcher.list()).contains("Nothing was caught yet"));
    let evil = "<script>alert(1)</script>\"'";
    let email = Email {
        subject: evil.into(),
        text: evil.into(),
        html: Some(format!("<p>{evil}</p>")),
        ..email("key-1")
    };
    let receipt = emails(&catcher).send(&email).await.unwrap();
    let caught = catcher.find(&receipt.provider_id).unwrap();
    for html in [page::list(&catcher.list()), page::mail(&caught)] {
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
        assert!(html.contains("ann@example.com"), "{html}");
    }
    assert!(page::mail(&caught).contains("sandbox=\"\""));
    let json: serde_json::Value = serde_json::from_str(&page::json(&catcher.list())).unwrap();
    assert_eq!(json[0]["subject"], evil);
    assert_eq!(json[0]["to"], "Ann <ann@example.com>");
    assert_eq!(json[0]["time"], "2026-11-22T12:00:00Z");
}
