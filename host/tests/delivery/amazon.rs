//! `capabilities::delivery::aws` against moto, which answers as Amazon SES and SNS do.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use praxis_host::capabilities::delivery::aws::Account;
use praxis_host::capabilities::delivery::aws::ses::Ses;
use praxis_host::capabilities::delivery::aws::sns::Sns;
use praxis_host::capabilities::delivery::rates::Rates;
use praxis_host::capabilities::delivery::{
    Email, EmailChannel, Error, Push, PushChannel, Sms, SmsChannel,
};
use praxis_host::capabilities::secret::Secret;
use praxis_servers::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::mail::email;
use crate::tools;

const REGION: &str = "eu-central-1";

struct Amazon {
    server: Server,
    _folder: TempDir,
}

impl Amazon {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        let python = tools::tool("../venv/bin/python");
        let server = praxis_servers::moto::start(&python, folder.path()).await;
        Self {
            server: server.unwrap(),
            _folder: folder,
        }
    }

    fn account(&self) -> Account {
        Account {
            region: REGION.into(),
            access_key_id: "who".into(),
            secret_access_key: Secret("hush".into()),
            session_token: None,
            endpoint_url: Some(self.server.url()),
        }
    }

    fn emails(&self) -> EmailChannel {
        let ses = Ses::new(&self.account(), "Shops <shops@example.com>", None).unwrap();
        EmailChannel::new(Arc::new(ses), Rates::default())
    }

    fn sns(&self) -> Arc<Sns> {
        Arc::new(Sns::new(&self.account(), Some("Shops".into())).unwrap())
    }

    /// A call that prepares something: moto looks at the names, and not at the signature.
    async fn call(&self, service: &str, path: &str, media: &str, body: String) -> String {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=who/20261123/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.server.url()))
            .header("Authorization", authorization)
            .header("Content-Type", media)
            .body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status} {text}");
        text
    }

    /// Lets SES know the sender as ours.
    async fn verify_sender(&self) {
        let body = json!({ "EmailIdentity": "shops@example.com" }).to_string();
        let path = "/v2/email/identities";
        self.call("ses", path, "application/json", body).await;
    }

    /// One call of SNS's, and what stands in its answer between the tags.
    async fn sns_call(&self, action: &str, parameters: &str, tag: &str) -> String {
        let body = format!("Action={action}&Version=2010-03-31&{parameters}");
        let media = "application/x-www-form-urlencoded";
        let answer = self.call("sns", "/", media, body).await;
        let inner = answer.split_once(&format!("<{tag}>"));
        let inner = inner.and_then(|(_, rest)| rest.split_once('<'));
        inner.map(|(inner, _)| inner.to_owned()).unwrap_or_default()
    }

    /// The mails that SES took, raw.
    async fn mails(&self) -> Vec<String> {
        let url = format!("{}/moto-api/data.json", self.server.url());
        let data: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        let Some(mails) = data["ses"]["RawMessage"].as_array() else {
            return Vec::new();
        };
        let raw = |mail: &Value| {
            let raw = mail["raw_data"].as_str().unwrap();
            match BASE64_STANDARD.decode(raw) {
                Ok(mail) => String::from_utf8(mail).unwrap(),
                Err(_) => raw.to_owned(),
            }
        };
        mails.iter().map(raw).collect()
    }
}

#[tokio::test]
async fn ses_takes_a_mail_with_all_its_parts_and_says_what_it_calls_it() {
    let amazon = Amazon::start().await;
    amazon.verify_sender().await;
    let email = Email {
        html: Some("<p>Guten Tag</p>".into()),
        sender_name: Some("Nord".into()),
        unsubscribe: Some("https://example.com/unsubscribe".into()),
        ..email("key-1")
    };
    let channel = amazon.emails();
    let first = channel.send(&email).await.unwrap();
    let again = channel.send(&email).await.unwrap();
    assert_eq!(first.provider, "ses");
    assert!(!first.provider_id.is_empty());
    assert_ne!(first.provider_id, again.provider_id);
    let mails = amazon.mails().await;
    assert_eq!(mails.len(), 2);
    for part in [
        "From: Nord <shops@example.com>",
        "To: Ann <ann@example.com>",
        "List-Unsubscribe: <https://example.com/unsubscribe>",
        "multipart/alternative",
        "<p>Guten Tag</p>",
        "Message-ID: <",
    ] {
        assert!(mails[0].contains(part), "no {part:?} in\n{}", mails[0]);
    }
}

#[tokio::test]
async fn a_sender_that_ses_does_not_know_loses_no_mail() {
    let amazon = Amazon::start().await;
    let refused = amazon.emails().send(&email("key-1")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    amazon.verify_sender().await;
    amazon.emails().send(&email("key-1")).await.unwrap();
}

#[tokio::test]
async fn an_amazon_that_is_away_is_unavailable_until_it_is_back() {
    let mut amazon = Amazon::start().await;
    let channel = amazon.emails();
    let sms = SmsChannel::new(Some(amazon.sns()), Rates::default());
    amazon.server.kill().await;
    let refused = channel.send(&email("key-1")).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let refused = sms.send(&text()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    amazon.server.start_again().await.unwrap();
    amazon.verify_sender().await;
    channel.send(&email("key-1")).await.unwrap();
    sms.send(&text()).await.unwrap();
}

fn text() -> Sms {
    Sms {
        owner: "shops".into(),
        idempotency_key: "key-1".into(),
        to: "+4989123456".into(),
        text: "Open at nine".into(),
    }
}

#[tokio::test]
async fn sns_takes_a_text_message() {
    let amazon = Amazon::start().await;
    let channel = SmsChannel::new(Some(amazon.sns()), Rates::default());
    let receipt = channel.send(&text()).await.unwrap();
    assert_eq!(receipt.provider, "sns");
    assert!(!receipt.provider_id.is_empty());
}

#[tokio::test]
async fn sns_pushes_to_a_device_that_it_knows_and_no_other() {
    let amazon = Amazon::start().await;
    let application = amazon.sns_call(
        "CreatePlatformApplication",
        "Name=shops&Platform=GCM&Attributes.entry.1.key=PlatformCredential&Attributes.entry.1.value=x",
        "PlatformApplicationArn",
    );
    let application = application.await;
    let device = format!("PlatformApplicationArn={application}&Token=device-1");
    let device = amazon.sns_call("CreatePlatformEndpoint", &device, "EndpointArn");
    let device = device.await;
    let channel = PushChannel::new(Some(amazon.sns()), Rates::default());
    let push = |to: &str| Push {
        owner: "shops".into(),
        idempotency_key: "key-1".into(),
        to: to.into(),
        title: "Open".into(),
        text: "at nine \"sharp\"".into(),
    };
    let receipt = channel.send(&push(&device)).await.unwrap();
    assert!(!receipt.provider_id.is_empty());

    let disable = format!(
        "EndpointArn={device}&Attributes.entry.1.key=Enabled&Attributes.entry.1.value=false"
    );
    amazon
        .sns_call("SetEndpointAttributes", &disable, "RequestId")
        .await;
    let gone = device.replace("device", "gone");
    for to in [
        &device[..],
        "device-1",
        "arn:aws:sns:eu-central-1:123456789012:topic",
        &gone,
    ] {
        let refused = channel.send(&push(to)).await;
        assert!(
            matches!(refused, Err(Error::BadAddress(_))),
            "{to}: {refused:?}"
        );
    }
}
