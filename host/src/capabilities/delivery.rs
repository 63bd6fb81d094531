//! Telling people: `praxis:delivery`. Each channel is a capability of its own, so that a component
//! that may send text messages still can't send e-mail.
//!
//! [`EmailChannel`], [`SmsChannel`] and [`PushChannel`] check what a caller asks for, once; the
//! products behind the traits rely on it.

pub mod aws;
mod bindings;
pub mod catcher;
mod component;
pub mod feedback;
mod limits;
mod mime;
pub mod page;
pub mod rates;
pub mod smtp;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

pub use bindings::praxis::delivery::email::{Attachment, Calendar, CalendarMethod, Email};
pub use bindings::praxis::delivery::push::Push;
pub use bindings::praxis::delivery::sms::Sms;
pub use bindings::praxis::delivery::types::Receipt;
pub use limits::{
    ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, BODY_BYTES_MAX, CALENDAR_BYTES_MAX, KEY_BYTES_MAX,
    PUSH_TEXT_CHARS_MAX, PUSH_TITLE_CHARS_MAX, SMS_TEXT_CHARS_MAX, SUBJECT_BYTES_MAX,
};
use rates::Rates;

/// A product that takes e-mail.
#[async_trait]
pub trait SendEmail: Send + Sync {
    /// Hands it over. The same `idempotency_key` again is the same mail: a product that remembers
    /// answers with the same receipt and sends nothing; others send with the same Message-ID.
    async fn send(&self, email: &Email) -> Result<Receipt, Error>;
}

/// A product that takes text messages.
#[async_trait]
pub trait SendSms: Send + Sync {
    /// Hands it over; `idempotency_key` as for [`SendEmail::send`].
    async fn send(&self, sms: &Sms) -> Result<Receipt, Error>;
}

/// A product that takes push notifications.
#[async_trait]
pub trait SendPush: Send + Sync {
    /// Hands it over; `idempotency_key` as for [`SendEmail::send`].
    async fn send(&self, push: &Push) -> Result<Receipt, Error>;
}

/// What the caller can do about it. No variant names the recipient: it may be logged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ask for another address.
    #[error("bad address: {0}")]
    BadAddress(String),
    /// Nothing: the same again is refused again.
    #[error("rejected: {0}")]
    Rejected(String),
    /// Try again, not before that: it was too much at once.
    #[error("too much at once: not before {} ms", .0.as_millis())]
    Throttled(Duration),
    /// Try later.
    #[error("the channel is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// It could not be done now, because of this.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// E-mail, for components to which it is granted.
#[derive(Clone)]
pub struct EmailChannel {
    product: Arc<dyn SendEmail>,
    rates: Arc<Rates>,
}

impl EmailChannel {
    pub fn new(product: Arc<dyn SendEmail>, rates: Rates) -> Self {
        let rates = Arc::new(rates);
        Self { product, rates }
    }

    /// Sends what breaks no limit and could break no header.
    pub async fn send(&self, email: &Email) -> Result<Receipt, Error> {
        limits::check_email(email)?;
        self.rates.turn(&email.owner).await?;
        self.product.send(email).await
    }
}

/// Text messages, for components to which they are granted.
#[derive(Clone)]
pub struct SmsChannel {
    product: Option<Arc<dyn SendSms>>,
    rates: Arc<Rates>,
}

impl SmsChannel {
    /// Without a product, everything is rejected.
    pub fn new(product: Option<Arc<dyn SendSms>>, rates: Rates) -> Self {
        let rates = Arc::new(rates);
        Self { product, rates }
    }

    pub async fn send(&self, sms: &Sms) -> Result<Receipt, Error> {
        limits::check_sms(sms)?;
        let Some(product) = &self.product else {
            return Err(Error::Rejected("no provider for text messages".into()));
        };
        self.rates.turn(&sms.owner).await?;
        product.send(sms).await
    }
}

/// Push notifications, for components to which they are granted.
#[derive(Clone)]
pub struct PushChannel {
    product: Option<Arc<dyn SendPush>>,
    rates: Arc<Rates>,
}

impl PushChannel {
    /// Without a product, everything is rejected.
    pub fn new(product: Option<Arc<dyn SendPush>>, rates: Rates) -> Self {
        let rates = Arc::new(rates);
        Self { product, rates }
    }

    pub async fn send(&self, push: &Push) -> Result<Receipt, Error> {
        limits::check_push(push)?;
        let Some(product) = &self.product else {
            return Err(Error::Rejected("no provider for push notifications".into()));
        };
        self.rates.turn(&push.owner).await?;
        product.send(push).await
    }
}

/// A name for the delivery that says nothing about it: 32 hexadecimal digits.
fn id_of(channel: &str, idempotency_key: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(channel);
    hash.update([0]);
    hash.update(idempotency_key);
    hex::encode(&hash.finalize()[..16])
}
