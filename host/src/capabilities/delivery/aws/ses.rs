//! E-mail through Amazon SES, version 2.

use anyhow::Context as _;
use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use lettre::message::Mailbox;

use super::super::{Email, Error, Receipt, SendEmail, mime};
use super::{Account, Refusal};

pub const PROVIDER: &str = "ses";

/// The mail goes as it is, with all its headers; SES puts a Message-ID of its own over ours.
pub struct Ses {
    client: Client,
    from: Mailbox,
    configuration_set: Option<String>,
}

impl Ses {
    /// Connects when the first mail is sent. `from` is an address that SES knows as ours, perhaps
    /// with a display name; a configuration set names where bounces and complaints are told.
    ///
    /// # Errors
    /// If the sender can't be read.
    pub fn new(
        account: &Account,
        from: &str,
        configuration_set: Option<String>,
    ) -> anyhow::Result<Self> {
        let from = from
            .parse()
            .with_context(|| format!("the sender {from:?} is not an e-mail address"))?;
        Ok(Self {
            client: Client::new(&account.config()?),
            from,
            configuration_set,
        })
    }
}

#[async_trait]
impl SendEmail for Ses {
    async fn send(&self, email: &Email) -> Result<Receipt, Error> {
        let message = mime::message(&self.from, email)?;
        let recipients = message.envelope().to().iter().map(ToString::to_string);
        let destination = Destination::builder()
            .set_to_addresses(Some(recipients.collect()))
            .build();
        let raw = RawMessage::builder()
            .data(Blob::new(message.formatted()))
            .build()
            .map_err(Error::unavailable)?;
        let sending = self
            .client
            .send_email()
            .from_email_address(self.from.email.to_string())
            .destination(destination)
            .content(EmailContent::builder().raw(raw).build())
            .set_configuration_set_name(self.configuration_set.clone());
        match sending.send().await {
            Ok(sent) => Ok(Receipt {
                provider: PROVIDER.into(),
                provider_id: sent.message_id().unwrap_or_default().to_owned(),
            }),
            Err(error) => Err(match Refusal::of(error) {
                Ok(refusal) => classify(&refusal),
                Err(error) => error,
            }),
        }
    }
}

/// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
pub(super) fn classify(refusal: &Refusal) -> Error {
    match &refusal.code[..] {
        // The account is not ready, or closed for now: not the mail's fault, so it must not be lost.
        "AccountSuspendedException"
        | "SendingPausedException"
        | "MailFromDomainNotVerifiedException"
        | "NotFoundException" => refusal.unavailable("does not send for this account"),
        "MessageRejected" if is_about_sender(&refusal.message) => {
            refusal.unavailable("does not know the sender as ours")
        }
        "BadRequestException" | "InvalidParameterValue" if is_about_address(&refusal.message) => {
            refusal.bad_address()
        }
        _ => refusal.rejected(),
    }
}

/// SES has no code of its own for it, and none for a bad address.
fn is_about_sender(message: &str) -> bool {
    message.contains("not verified") || message.contains("authority to send")
}

fn is_about_address(message: &str) -> bool {
    [
        "@domain",
        "Local address",
        "Domain contains",
        "Domain starts",
        "Domain ends",
    ]
    .iter()
    .any(|words| message.contains(words))
}
