//! An e-mail as it goes over the wire, the same for every product.

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};

use super::{Email, Error, id_of, limits};

/// The Message-ID, without its brackets: the same for the same idempotency key.
pub fn message_id(from: &Mailbox, email: &Email) -> String {
    let id = id_of("email", &email.idempotency_key);
    format!("{id}@{}", from.email.domain())
}

pub fn message(from: &Mailbox, email: &Email) -> Result<Message, Error> {
    let mut builder = Message::builder()
        .from(from.clone())
        .to(limits::mailbox(&email.to)?)
        .subject(&email.subject)
        .message_id(Some(format!("<{}>", message_id(from, email))))
        // RFC 3834: no out-of-office answers, please.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".into(),
        ));
    if let Some(reply_to) = &email.reply_to {
        builder = builder.reply_to(limits::mailbox(reply_to)?);
    }
    let text = SinglePart::plain(email.text.clone());
    let built = match (&email.html, email.attachments.as_slice()) {
        (None, []) => builder.singlepart(text),
        (Some(html), []) => builder.multipart(alternative(text, html)),
        (html, attachments) => {
            let mixed = MultiPart::mixed();
            let mut mixed = match html {
                Some(html) => mixed.multipart(alternative(text, html)),
                None => mixed.singlepart(text),
            };
            for attachment in attachments {
                let content_type = ContentType::parse(&attachment.content_type)
                    .map_err(|_| Error::Rejected("a content type can't be read".into()))?;
                let part = Attachment::new(attachment.file_name.clone());
                mixed = mixed.singlepart(part.body(attachment.content.clone(), content_type));
            }
            builder.multipart(mixed)
        }
    };
    built.map_err(|error| Error::Rejected(format!("the mail can't be built: {error}")))
}

fn alternative(text: SinglePart, html: &str) -> MultiPart {
    let html = SinglePart::html(html.to_owned());
    MultiPart::alternative().singlepart(text).singlepart(html)
}
