//! E-mail through an SMTP server.

use std::error::Error as _;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use url::Url;

use super::{Email, Error, Receipt, SendEmail, mime};

const CONNECTIONS_MAX: u32 = 8;
/// For one answer of the server.
const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// Where a server says that it was too much at once, and not until when.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);
/// For the whole of one mail.
const SEND_TIMEOUT_MS: u64 = 30_000;

pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// Connects when the first mail is sent. `url` is `smtp://user:password@host:587?tls=required`
    /// or `smtps://user:password@host`; `from` is an address, perhaps with a display name;
    /// `authorities` are certificates (PEM) that are trusted besides the public ones.
    ///
    /// # Errors
    /// If one of them can't be read.
    pub fn new(url: &str, from: &str, authorities: Option<&[u8]>) -> anyhow::Result<Self> {
        let from = from
            .parse()
            .with_context(|| format!("the sender {from:?} is not an e-mail address"))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .context("the SMTP URL can't be read")?;
        if let Some(pem) = authorities
            && let Some(tls) = tls(url, pem)?
        {
            builder = builder.tls(tls);
        }
        let transport = builder
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

/// What `from_url` makes of the URL, with authorities of our own; none where nothing is encrypted.
fn tls(url: &str, pem: &[u8]) -> anyhow::Result<Option<Tls>> {
    let url = Url::parse(url).context("the SMTP URL can't be read")?;
    let asked = url.query_pairs().find(|(name, _)| name == "tls");
    let tls: fn(TlsParameters) -> Tls = match (url.scheme(), asked.as_ref().map(|(_, how)| &**how))
    {
        ("smtps", _) => Tls::Wrapper,
        (_, Some("required")) => Tls::Required,
        (_, Some("opportunistic")) => Tls::Opportunistic,
        (_, _) => return Ok(None),
    };
    let host = url.host_str().unwrap_or_default().to_owned();
    let authorities =
        Certificate::from_pem(pem).context("it is not a file of certificates (PEM)")?;
    let parameters = TlsParameters::builder(host).add_root_certificate(authorities);
    Ok(Some(tls(parameters.build()?)))
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
        // SES's own words, and those of many others: `454 Throttling failure: Maximum sending rate`.
        400..500 if is_throttled(text) => Error::Throttled(THROTTLED_PAUSE),
        ..500 => Error::unavailable(format!("the SMTP server answered {code}")),
        // Who we are is not accepted: not the mail's fault, so it must not be lost.
        530 | 534 | 535 | 538 => {
            Error::unavailable(format!("the SMTP server wants other credentials: {code}"))
        }
        _ => match enhanced(text) {
            // RFC 3463 and 7505: no such mailbox, no such system, no address, moved without another, takes no mail.
            // A code alone is not enough: 550 is also `relaying denied`, and would put everybody off.
            Some((1, 1 | 2 | 3 | 6 | 10)) => refused(code),
            _ => Error::Rejected(format!("the SMTP server answered {code}")),
        },
    }
}

/// There is no code for it alone: 4.7.x is grey-listing as well.
fn is_throttled(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["throttl", "sending rate", "rate limit"]
        .iter()
        .any(|words| text.contains(words))
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
            (
                454,
                "Throttling failure: Maximum sending rate exceeded.",
                "throttled",
            ),
            (450, "4.7.1 greylisted", "unavailable"),
            (535, "5.7.8 bad password", "unavailable"),
            (550, "5.1.1 <ann@example.com> unknown", "bad address"),
            (550, "no such user", "rejected"),
            (550, "relay not permitted", "rejected"),
            (550, "5.1.10 takes no mail", "bad address"),
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
                Error::Throttled(_) => "throttled",
                Error::Unavailable(_) => "unavailable",
            };
            assert_eq!(kind, expected, "{code} {text}");
            assert!(!format!("{found:?}").contains("ann"), "{found:?}");
        }
    }
}
