//! A notice, rendered and sent on its channel.

use praxis_domain::notice::{Notice, View};
use praxis_domain::patient::Channel;
use praxis_platform::delivery::email::{self, Email};
use praxis_platform::delivery::{self, Receipt, push, sms};
use praxis_platform::events::Failure;

use crate::templates;

/// What the provider said. Fails where the template does: that is ours to mend.
pub async fn send(
    notice: &Notice<'_>,
    address: &str,
    view: &View,
) -> Result<Result<Receipt, delivery::Error>, Failure> {
    let key = notice.idempotency_key.clone();
    let to = address.to_owned();
    let template = &notice.template;
    Ok(match notice.channel {
        Channel::Email => {
            let mail = templates::email(template, view).map_err(broken)?;
            let email = Email {
                idempotency_key: key,
                to,
                reply_to: None,
                subject: mail.subject,
                text: mail.text,
                html: Some(mail.html),
                attachments: Vec::new(),
            };
            email::send(email).await
        }
        Channel::Sms => {
            let text = templates::sms(template, view).map_err(broken)?;
            sms::send(key, to, text).await
        }
        Channel::Push => {
            let note = templates::push(template, view).map_err(broken)?;
            push::send(key, to, note.title, note.text).await
        }
    })
}

fn broken(error: templates::Error) -> Failure {
    Failure::Reject(error.to_string())
}
