//! What a provider reports of messages that it took: whoever says so is checked, and what it says
//! becomes plain reports. What comes of them is the component's business.

mod certificates;
mod envelope;
mod hosts;
mod ses;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use url::Url;

pub use super::bindings::praxis::delivery::feedback::{Outcome, Report};
use certificates::Certificates;
use envelope::{Envelope, Kind};
pub use hosts::Hosts;

/// What SNS sends at most is 256 KiB, before it is JSON in JSON.
pub const BODY_BYTES_MAX: usize = 1 << 20;
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Whom the host believes.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The ARNs of the topics that count: anybody can make one, and have it signed by Amazon.
    pub topics: Vec<String>,
    /// Where certificates lie and subscriptions are confirmed.
    pub hosts: Hosts,
    /// Whom HTTPS trusts besides the public authorities: certificates (PEM).
    pub authorities: Option<Vec<u8>>,
}

/// As [`super::Error`]: no variant names a recipient.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("untrusted: {0}")]
    Untrusted(String),
    #[error("malformed: {0}")]
    Malformed(String),
    #[error("it can't be checked now")]
    Unavailable(#[source] anyhow::Error),
}

/// Reports, for components to which they are granted. None are believed where no topic is named.
#[derive(Clone)]
pub struct Feedback(Option<Arc<Inner>>);

struct Inner {
    topics: Vec<String>,
    hosts: Hosts,
    client: reqwest::Client,
    certificates: Certificates,
}

impl Feedback {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// If the authorities can't be read.
    pub fn new(trust: Trust) -> anyhow::Result<Self> {
        if trust.topics.is_empty() {
            return Ok(Self(None));
        }
        // The first one counts, whoever it is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .timeout(ASK_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &trust.authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .context("it is not a file of certificates (PEM)")?;
            client = client.tls_certs_merge(authorities);
        }
        let client = client.build()?;
        Ok(Self(Some(Arc::new(Inner {
            certificates: Certificates::new(client.clone(), trust.hosts.clone()),
            topics: trust.topics,
            hosts: trust.hosts,
            client,
        }))))
    }

    /// The body of a request that SNS is said to have made.
    pub async fn sns(&self, body: &[u8]) -> Result<Vec<Report>, Error> {
        if body.len() > BODY_BYTES_MAX {
            return Err(Error::Malformed(format!(
                "more than {BODY_BYTES_MAX} bytes"
            )));
        }
        let envelope = Envelope::parse(body)?;
        // Looked at first, though it may be a lie yet: no stranger has us fetch anything.
        let inner = self.0.as_ref();
        let inner = inner
            .filter(|inner| inner.topics.contains(&envelope.topic_arn))
            .ok_or_else(|| Error::Untrusted("the topic is none of ours".into()))?;
        inner.certificates.check(&envelope).await?;
        match &envelope.kind {
            Kind::Notification => ses::reports(&envelope.message),
            Kind::SubscriptionConfirmation(subscription) => {
                inner.confirm(&subscription.subscribe_url).await?;
                tracing::info!(topic = envelope.topic_arn, "subscribed to a topic of SNS");
                Ok(Vec::new())
            }
            Kind::UnsubscribeConfirmation(_) => {
                tracing::warn!(
                    topic = envelope.topic_arn,
                    "unsubscribed from a topic of SNS"
                );
                Ok(Vec::new())
            }
        }
    }
}

impl Inner {
    async fn confirm(&self, url: &str) -> Result<(), Error> {
        let url = Url::parse(url)
            .ok()
            .filter(|url| self.hosts.contains(url))
            .ok_or_else(|| Error::Untrusted("the subscription's address is not SNS's".into()))?;
        let asked = self.client.get(url).send().await;
        asked
            .and_then(reqwest::Response::error_for_status)
            .map(|_| ())
            // Its address holds the token.
            .map_err(|error| {
                let error = anyhow::Error::new(error.without_url());
                Error::Unavailable(error.context("could not confirm the subscription"))
            })
    }
}
