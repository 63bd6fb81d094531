//! A notice in words, for its channel.

use praxis_domain::notice::{Notice, View};
use praxis_domain::patient::Channel;
use praxis_platform::delivery::email::{self, Email};
use praxis_platform::delivery::{self, Receipt, push, sms};

use crate::templates::{self, Mail, Note};

pub enum Message {
    Email(Mail),
    Sms(String),
    Push(Note),
}

impl Message {
    /// Fails where the template does: that is ours to mend.
    pub fn render(notice: &Notice<'_>, view: &View) -> Result<Self, templates::Error> {
        let template = &notice.template;
        Ok(match notice.channel {
            Channel::Email => Self::Email(templates::email(template, view)?),
            Channel::Sms => Self::Sms(templates::sms(template, view)?),
            Channel::Push => Self::Push(templates::push(template, view)?),
        })
    }

    /// What the provider says.
    pub async fn send(
        &self,
        notice: &Notice<'_>,
        address: &str,
    ) -> Result<Receipt, delivery::Error> {
        let key = notice.idempotency_key.clone();
        let to = address.to_owned();
        match self {
            Self::Email(mail) => {
                let email = Email {
                    idempotency_key: key,
                    to,
                    reply_to: None,
                    subject: mail.subject.clone(),
                    text: mail.text.clone(),
                    html: Some(mail.html.clone()),
                    attachments: Vec::new(),
                };
                email::send(email).await
            }
            Self::Sms(text) => sms::send(key, to, text.clone()).await,
            Self::Push(note) => push::send(key, to, note.title.clone(), note.text.clone()).await,
        }
    }
}
