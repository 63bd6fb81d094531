//! A message, for its channel.

use praxis_domain::invitation::Method;
use praxis_domain::notice::Entry;
use praxis_domain::patient::Channel;
use praxis_platform::delivery::email::{self, Calendar, CalendarMethod, Email};
use praxis_platform::delivery::push::{self, Push};
use praxis_platform::delivery::sms::{self, Sms};
use praxis_platform::delivery::{self, Receipt};
use praxis_platform::template;

pub enum Message {
    Email(Mail),
    Sms(String),
    Push { title: String, text: String },
}

pub struct Mail {
    subject: String,
    text: String,
    html: Option<String>,
}

/// Where a message goes.
pub struct Envelope {
    /// The tenant: each has its share of what a provider takes.
    pub owner: String,
    /// The same at every try.
    pub idempotency_key: String,
    pub address: String,
    /// Of an e-mail: the name before the sender's address.
    pub sender_name: Option<String>,
    /// Of an e-mail: where an answer goes.
    pub reply_to: Option<String>,
    /// Of an e-mail: for the calendar.
    pub entry: Option<Entry>,
    /// Of an e-mail: where a mail program ends mails of this kind.
    pub unsubscribe: Option<String>,
}

impl Message {
    /// Of what a template said.
    pub fn of(channel: Channel, said: template::Message) -> Self {
        let subject = said.subject.unwrap_or_default();
        match channel {
            Channel::Email => Self::Email(Mail {
                subject,
                text: said.text,
                html: said.html,
            }),
            Channel::Sms => Self::Sms(said.text),
            Channel::Push => Self::Push {
                title: subject,
                text: said.text,
            },
        }
    }

    /// What the provider says.
    pub async fn send(self, envelope: Envelope) -> Result<Receipt, delivery::Error> {
        let Envelope {
            owner,
            idempotency_key,
            address: to,
            sender_name,
            reply_to,
            entry,
            unsubscribe,
        } = envelope;
        match self {
            Self::Email(mail) => {
                let email = Email {
                    owner,
                    idempotency_key,
                    to,
                    sender_name,
                    reply_to,
                    subject: mail.subject,
                    text: mail.text,
                    html: mail.html,
                    calendar: entry.map(calendar),
                    unsubscribe,
                    attachments: Vec::new(),
                };
                email::send(email).await
            }
            Self::Sms(text) => {
                let sms = Sms {
                    owner,
                    idempotency_key,
                    to,
                    text: text.clone(),
                };
                sms::send(sms).await
            }
            Self::Push { title, text } => {
                let push = Push {
                    owner,
                    idempotency_key,
                    to,
                    title,
                    text,
                };
                push::send(push).await
            }
        }
    }
}

fn calendar(entry: Entry) -> Calendar {
    Calendar {
        method: match entry.method {
            Method::Request => CalendarMethod::Request,
            Method::Cancel => CalendarMethod::Cancel,
        },
        content: entry.content,
    }
}
