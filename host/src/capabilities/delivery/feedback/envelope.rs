//! What SNS sends by HTTP, and which of it is signed.
//! https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::Error;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub kind: Kind,
    pub topic_arn: String,
    pub message: String,
    pub signing_cert_url: String,
    pub signature: Vec<u8>,
    pub digest: Digest,
    subject: Option<String>,
    message_id: String,
    timestamp: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Notification,
    SubscriptionConfirmation(Subscription),
    UnsubscribeConfirmation(Subscription),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub subscribe_url: String,
    token: String,
}

/// By `SignatureVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    Sha1,
    Sha256,
}

/// As it comes: whether all is there that its kind needs is not known yet.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    r#type: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    subject: Option<String>,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
}

impl Envelope {
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(body)
            // Its place only: its words may hold what is nobody's business.
            .map_err(|error| {
                let (line, column) = (error.line(), error.column());
                malformed(&format!("no message of SNS: line {line}, column {column}"))
            })?;
        let subscription = || -> Result<Subscription, Error> {
            Ok(Subscription {
                subscribe_url: raw
                    .subscribe_url
                    .ok_or_else(|| malformed("no SubscribeURL"))?,
                token: raw.token.ok_or_else(|| malformed("no Token"))?,
            })
        };
        let kind = match &raw.r#type[..] {
            "Notification" => Kind::Notification,
            "SubscriptionConfirmation" => Kind::SubscriptionConfirmation(subscription()?),
            "UnsubscribeConfirmation" => Kind::UnsubscribeConfirmation(subscription()?),
            _ => return Err(malformed("no Type that is known")),
        };
        let digest = match &raw.signature_version[..] {
            "1" => Digest::Sha1,
            "2" => Digest::Sha256,
            _ => return Err(malformed("no SignatureVersion that is known")),
        };
        Ok(Self {
            kind,
            digest,
            topic_arn: raw.topic_arn,
            message: raw.message,
            signing_cert_url: raw.signing_cert_url,
            signature: BASE64_STANDARD
                .decode(&raw.signature)
                .map_err(|_| malformed("the Signature is not base64"))?,
            subject: raw.subject,
            message_id: raw.message_id,
            timestamp: raw.timestamp,
        })
    }

    /// The text that the signature is of: names and values, a line each, in the order of the names.
    pub fn signed(&self) -> String {
        let mut lines = vec![("Message", &self.message), ("MessageId", &self.message_id)];
        match &self.kind {
            Kind::Notification => {
                lines.extend(self.subject.as_ref().map(|subject| ("Subject", subject)));
            }
            Kind::SubscriptionConfirmation(subscription)
            | Kind::UnsubscribeConfirmation(subscription) => {
                lines.push(("SubscribeURL", &subscription.subscribe_url));
            }
        }
        lines.push(("Timestamp", &self.timestamp));
        match &self.kind {
            Kind::Notification => {}
            Kind::SubscriptionConfirmation(subscription)
            | Kind::UnsubscribeConfirmation(subscription) => {
                lines.push(("Token", &subscription.token));
            }
        }
        lines.push(("TopicArn", &self.topic_arn));
        let mut text = String::new();
        for (name, value) in lines {
            text.extend([name, "\n", value, "\n"]);
        }
        text.extend(["Type\n", self.kind.name(), "\n"]);
        text
    }
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Notification => "Notification",
            Self::SubscriptionConfirmation(_) => "SubscriptionConfirmation",
            Self::UnsubscribeConfirmation(_) => "UnsubscribeConfirmation",
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::Malformed(what.to_owned())
}
