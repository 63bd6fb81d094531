//! An e-mail as it goes over the wire, the same for every product.

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};

use super::{Calendar, CalendarMethod, Email, Error, id_of, limits};

/// What a calendar is called where it is attached.
pub const CALENDAR_FILE_NAME: &str = "invite.ics";

/// The Message-ID, without its brackets: the same for the same idempotency key.
pub fn message_id(from: &Mailbox, email: &Email) -> String {
    let id = id_of("email", &email.idempotency_key);
    format!("{id}@{}", from.email.domain())
}

/// How mail programs know what a calendar is for (RFC 6047).
pub fn calendar_type(method: CalendarMethod) -> String {
    let method = match method {
        CalendarMethod::Publish => "PUBLISH",
        CalendarMethod::Request => "REQUEST",
        CalendarMethod::Cancel => "CANCEL",
    };
    format!("text/calendar; charset=utf-8; method={method}")
}

pub fn message(from: &Mailbox, email: &Email) -> Result<Message, Error> {
    let builder = headers(from, email)?;
    let body = body(email)?;
    let built = match body {
        Body::Single(part) => builder.singlepart(part),
        Body::Multi(parts) => builder.multipart(parts),
    };
    built.map_err(|error| Error::Rejected(format!("the mail can't be built: {error}")))
}

fn headers(from: &Mailbox, email: &Email) -> Result<MessageBuilder, Error> {
    let mut from_them = from.clone();
    if let Some(name) = &email.sender_name {
        from_them.name = Some(name.clone());
    }
    let mut builder = Message::builder()
        .from(from_them)
        .to(limits::mailbox(&email.to)?)
        .subject(&email.subject)
        .message_id(Some(format!("<{}>", message_id(from, email))))
        // RFC 3834: no out-of-office answers, please.
        .raw_header(header("Auto-Submitted", "auto-generated".into()));
    // One that can't be read is left out: the mail is worth more.
    if let Some(reply_to) = email
        .reply_to
        .as_deref()
        .and_then(|to| limits::mailbox(to).ok())
    {
        builder = builder.reply_to(reply_to);
    }
    if let Some(address) = &email.unsubscribe {
        // RFC 8058: with the second, a mail program may do it with one click.
        builder = builder
            .raw_header(header("List-Unsubscribe", format!("<{address}>")))
            .raw_header(header(
                "List-Unsubscribe-Post",
                "List-Unsubscribe=One-Click".into(),
            ));
    }
    Ok(builder)
}

/// A header whose value is ASCII, and short or not to be folded.
fn header(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

enum Body {
    Single(SinglePart),
    Multi(MultiPart),
}

fn body(email: &Email) -> Result<Body, Error> {
    let text = SinglePart::plain(email.text.clone());
    let calendar = email.calendar.as_ref();
    let said = if email.html.is_none() && calendar.is_none() {
        Body::Single(text)
    } else {
        // The best that a program can show comes last: the invitation.
        let mut said = MultiPart::alternative().singlepart(text);
        if let Some(html) = &email.html {
            said = said.singlepart(SinglePart::html(html.clone()));
        }
        if let Some(calendar) = calendar {
            said = said.singlepart(invitation(calendar)?);
        }
        Body::Multi(said)
    };
    if calendar.is_none() && email.attachments.is_empty() {
        return Ok(said);
    }
    let mixed = MultiPart::mixed();
    let mut mixed = match said {
        Body::Single(part) => mixed.singlepart(part),
        Body::Multi(parts) => mixed.multipart(parts),
    };
    if let Some(calendar) = calendar {
        // Not `text/calendar` again: some programs would show two invitations.
        let part = Attachment::new(CALENDAR_FILE_NAME.into());
        let content_type = parse("application/ics")?;
        mixed = mixed.singlepart(part.body(calendar.content.clone(), content_type));
    }
    for attachment in &email.attachments {
        let part = Attachment::new(attachment.file_name.clone());
        let content_type = parse(&attachment.content_type)?;
        mixed = mixed.singlepart(part.body(attachment.content.clone(), content_type));
    }
    Ok(Body::Multi(mixed))
}

fn invitation(calendar: &Calendar) -> Result<SinglePart, Error> {
    Ok(SinglePart::builder()
        .header(parse(&calendar_type(calendar.method))?)
        .body(calendar.content.clone()))
}

fn parse(content_type: &str) -> Result<ContentType, Error> {
    ContentType::parse(content_type)
        .map_err(|_| Error::Rejected("a content type can't be read".into()))
}
