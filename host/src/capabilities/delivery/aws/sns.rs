//! Text messages and push notifications through Amazon SNS.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::json;

use super::super::{Error, Push, Receipt, SendPush, SendSms, Sms};
use super::{Account, Refusal};

const PROVIDER: &str = "sns";
/// Sent before advertisements, and also to who wants none.
const SMS_TYPE: &str = "Transactional";

pub struct Sns {
    client: Client,
    sender_id: Option<String>,
}

impl Sns {
    /// Connects when the first message is sent. `sender_id` is shown as the sender of text messages
    /// in countries that have such a thing.
    pub fn new(account: &Account, sender_id: Option<String>) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::new(&account.config()?),
            sender_id,
        })
    }
}

#[async_trait]
impl SendSms for Sns {
    async fn send(&self, sms: &Sms) -> Result<Receipt, Error> {
        let mut publishing = self
            .client
            .publish()
            .phone_number(&sms.to)
            .message(&sms.text)
            .message_attributes("AWS.SNS.SMS.SMSType", text(SMS_TYPE)?);
        if let Some(sender) = &self.sender_id {
            publishing = publishing.message_attributes("AWS.SNS.SMS.SenderID", text(sender)?);
        }
        publish(publishing).await
    }
}

#[async_trait]
impl SendPush for Sns {
    async fn send(&self, push: &Push) -> Result<Receipt, Error> {
        if !is_endpoint(&push.to) {
            return Err(Error::BadAddress("not the ARN of an endpoint".into()));
        }
        let publishing = self
            .client
            .publish()
            .target_arn(&push.to)
            .message_structure("json")
            .message(message(&push.title, &push.text));
        publish(publishing).await
    }
}

async fn publish(publishing: PublishFluentBuilder) -> Result<Receipt, Error> {
    match publishing.send().await {
        Ok(published) => Ok(Receipt {
            provider: PROVIDER.into(),
            provider_id: published.message_id().unwrap_or_default().to_owned(),
        }),
        Err(error) => Err(match Refusal::of(error) {
            Ok(refusal) => classify(&refusal),
            Err(error) => error,
        }),
    }
}

/// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
pub(super) fn classify(refusal: &Refusal) -> Error {
    match &refusal.code[..] {
        "EndpointDisabled" | "EndpointDisabledException" | "NotFound" | "NotFoundException" => {
            refusal.bad_address()
        }
        "PlatformApplicationDisabled" | "PlatformApplicationDisabledException" => {
            refusal.unavailable("does not reach the devices")
        }
        "OptedOut" | "OptedOutException" => refusal.bad_address(),
        "InvalidParameter" | "InvalidParameterException"
            if ["PhoneNumber", "TargetArn", "opted out"]
                .iter()
                .any(|words| refusal.message.contains(words)) =>
        {
            refusal.bad_address()
        }
        _ => refusal.rejected(),
    }
}

/// `arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/app/device`
fn is_endpoint(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    matches!(parts[..], ["arn", partition, "sns", _, _, name]
        if partition.starts_with("aws") && name.starts_with("endpoint/"))
}

/// One text for each kind of device: SNS takes the one that the endpoint is of.
fn message(title: &str, text: &str) -> String {
    let apple = json!({ "aps": { "alert": { "title": title, "body": text } } }).to_string();
    let google = json!({ "notification": { "title": title, "body": text } }).to_string();
    json!({
        "default": text,
        "APNS": apple,
        "APNS_SANDBOX": apple,
        "GCM": google,
    })
    .to_string()
}

fn text(value: &str) -> Result<MessageAttributeValue, Error> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .map_err(Error::unavailable)
}
