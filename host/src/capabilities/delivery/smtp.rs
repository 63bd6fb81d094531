//! E-mail through an SMTP server.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Email, Error, Receipt, SendEmail, mime};

const CONNECTIONS_MAX: u32 = 8;
/// For one answer of the server.
const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// For the whole of one mail.
const SEND_TIMEOUT_MS: u64 = 30_000;

pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Connects when the first mail is sent. `url` is `smtp://user:password@host:587?tls=required`
    /// or `smtps://user:password@host`; `from` is an address, perhaps with a display name.
    ///
    /// # Errors
    /// If either can't be read.
    pub fn new(url: &str, from: &str) -> anyhow::Result<Self> {
        let from = from
            .parse()
            .with_context(|| format!("the sender {from:?} is not an e-mail address"))?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .context("the SMTP URL can't be read")?
            .timeout(Some(Duration::from_millis(ANSWER_TIMEOUT_MS)))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX))
            .build();
        Ok(Self { transport, from })
    }
}

#[async_trait]
impl SendEmail for Smtp {
    async fn send(&self, email: &Email) -> Result<Receipt, Error> {
        let message = mime::message(&self.from, email)?;
        let limit = Duration::from_millis(SEND_TIMEOUT_MS);
        tokio::time::timeout(limit, self.transport.send(message))
            .await
            .map_err(Error::unavailable)?
            .map_err(error)?;
        Ok(Receipt {
            provider: "smtp".into(),
            provider_id: mime::message_id(&self.from, email),
        })
    }
}

/// The server's own words may name the recipient: only its codes are passed on.
fn error(error: lettre::transport::smtp::Error) -> Error {
    let Some(code) = error.status() else {
        return Error::unavailable(error);
    };
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    classify(u16::from(code), &text)
}

fn classify(code: u16, text: &str) -> Error {
    match code {
        ..500 => Error::unavailable(format!("the SMTP server answered {code}")),
        // Who we are is not accepted: not the mail's fault, so it must not be lost.
        530 | 534 | 535 | 538 => {
            Error::unavailable(format!("the SMTP server wants other credentials: {code}"))
        }
        _ => match enhanced(text) {
            // RFC 3463: 5.1.x is about addresses, of which 5.1.7 and 5.1.8 are the sender's.
            Some((1, detail)) if !matches!(detail, 7 | 8) => refused(code),
            Some(_) => Error::Rejected(format!("the SMTP server answered {code}")),
            None if matches!(code, 550 | 551 | 553) => refused(code),
            None => Error::Rejected(format!("the SMTP server answered {code}")),
        },
    }
}

fn refused(code: u16) -> Error {
    Error::BadAddress(format!("the SMTP server refuses the recipient: {code}"))
}

/// Subject and detail of an enhanced status code, `5.1.1 …`.
fn enhanced(text: &str) -> Option<(u16, u16)> {
    let mut parts = text.split_whitespace().next()?.split('.');
    let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
    (class == "5" && parts.next().is_none())
        .then(|| Some((subject.parse().ok()?, detail.parse().ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_answers_says_what_to_do() {
        let cases = [
            (421, "4.3.2 closing", "unavailable"),
            (451, "try again", "unavailable"),
            (535, "5.7.8 bad password", "unavailable"),
            (550, "5.1.1 <ann@example.com> unknown", "bad address"),
            (550, "no such user", "bad address"),
            (550, "5.7.1 looks like spam", "rejected"),
            (553, "5.1.8 sender unknown", "rejected"),
            (554, "no", "rejected"),
            (552, "5.3.4 too big", "rejected"),
        ];
        for (code, text, expected) in cases {
            let found = classify(code, text);
            let kind = match &found {
                Error::BadAddress(_) => "bad address",
                Error::Rejected(_) => "rejected",
                Error::Unavailable(_) => "unavailable",
            };
            assert_eq!(kind, expected, "{code} {text}");
            assert!(!format!("{found:?}").contains("ann"), "{found:?}");
        }
    }
}
