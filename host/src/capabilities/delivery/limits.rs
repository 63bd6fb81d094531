//! What may be sent. No text from outside gets into a header with a line break in it.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use url::{Host, Url};

use super::{Attachment, Calendar, Email, Error, Push, Sms};

pub const OWNER_BYTES_MAX: usize = 128;
pub const KEY_BYTES_MAX: usize = 256;
pub const SENDER_NAME_BYTES_MAX: usize = 128;
pub const CALENDAR_BYTES_MAX: usize = 64 << 10;
/// It stands in a header, whose lines have 998 bytes at most and can't be folded inside it.
pub const UNSUBSCRIBE_BYTES_MAX: usize = 900;
pub const ADDRESS_BYTES_MAX: usize = 512;
pub const SUBJECT_BYTES_MAX: usize = 998;
/// Of a text and of an HTML body, each.
pub const BODY_BYTES_MAX: usize = 1 << 20;
pub const ATTACHMENTS_MAX: usize = 10;
/// Of all attachments together.
pub const ATTACHMENT_BYTES_MAX: usize = 5 << 20;
pub const FILE_NAME_BYTES_MAX: usize = 255;
pub const SMS_TEXT_CHARS_MAX: usize = 1_600;
pub const PUSH_ENDPOINT_BYTES_MAX: usize = 2_048;
pub const PUSH_TITLE_CHARS_MAX: usize = 256;
pub const PUSH_TEXT_CHARS_MAX: usize = 2_000;

pub fn check_email(email: &Email) -> Result<(), Error> {
    check_owner(&email.owner)?;
    let breaks_out = |to: &String| to.contains(char::is_control);
    if email.reply_to.as_ref().is_some_and(breaks_out) {
        return Err(rejected("the reply-to address has a control character"));
    }
    check_key(&email.idempotency_key)?;
    mailbox(&email.to)?;
    if let Some(name) = &email.sender_name {
        check_line("the sender's name", name, SENDER_NAME_BYTES_MAX)?;
    }
    check_line("the subject", &email.subject, SUBJECT_BYTES_MAX)?;
    let html = email.html.as_deref().unwrap_or_default();
    if email.text.len() > BODY_BYTES_MAX || html.len() > BODY_BYTES_MAX {
        return Err(rejected(&format!(
            "a body has more than {BODY_BYTES_MAX} bytes"
        )));
    }
    if let Some(calendar) = &email.calendar {
        check_calendar(calendar)?;
    }
    if let Some(address) = &email.unsubscribe {
        check_unsubscribe(address)?;
    }
    check_attachments(&email.attachments)
}

pub fn check_sms(sms: &Sms) -> Result<(), Error> {
    check_owner(&sms.owner)?;
    check_key(&sms.idempotency_key)?;
    let digits = sms.to.strip_prefix('+').unwrap_or_default();
    let is_e164 = (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_e164 {
        return Err(bad_address("not an E.164 number"));
    }
    check_chars("the text", &sms.text, SMS_TEXT_CHARS_MAX)
}

pub fn check_push(push: &Push) -> Result<(), Error> {
    check_owner(&push.owner)?;
    check_key(&push.idempotency_key)?;
    if push.to.is_empty() || push.to.len() > PUSH_ENDPOINT_BYTES_MAX {
        return Err(bad_address("an endpoint has 1 to 2048 bytes"));
    }
    if push.to.contains(char::is_control) {
        return Err(bad_address("a control character"));
    }
    check_chars("the title", &push.title, PUSH_TITLE_CHARS_MAX)?;
    check_chars("the text", &push.text, PUSH_TEXT_CHARS_MAX)
}

/// An address that may stand in a header.
pub fn mailbox(address: &str) -> Result<Mailbox, Error> {
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(bad_address("too long"));
    }
    if address.contains(char::is_control) {
        return Err(bad_address("a control character"));
    }
    address
        .parse()
        .map_err(|_| bad_address("not an e-mail address"))
}

fn check_attachments(attachments: &[Attachment]) -> Result<(), Error> {
    if attachments.len() > ATTACHMENTS_MAX {
        return Err(rejected(&format!(
            "more than {ATTACHMENTS_MAX} attachments"
        )));
    }
    let bytes: usize = attachments
        .iter()
        .map(|attachment| attachment.content.len())
        .sum();
    if bytes > ATTACHMENT_BYTES_MAX {
        return Err(rejected(&format!(
            "attachments of more than {ATTACHMENT_BYTES_MAX} bytes"
        )));
    }
    for attachment in attachments {
        check_line("a file name", &attachment.file_name, FILE_NAME_BYTES_MAX)?;
        check_line(
            "a content type",
            &attachment.content_type,
            FILE_NAME_BYTES_MAX,
        )?;
        ContentType::parse(&attachment.content_type)
            .map_err(|_| rejected("a content type can't be read"))?;
    }
    Ok(())
}

fn check_calendar(calendar: &Calendar) -> Result<(), Error> {
    if calendar.content.len() > CALENDAR_BYTES_MAX {
        return Err(rejected(&format!(
            "a calendar has more than {CALENDAR_BYTES_MAX} bytes"
        )));
    }
    if !calendar.content.starts_with("BEGIN:VCALENDAR\r\n") {
        return Err(rejected("a calendar does not begin like one"));
    }
    Ok(())
}

/// What may stand between `<` and `>` in a header, and leads to nobody in the clear.
fn check_unsubscribe(address: &str) -> Result<(), Error> {
    let is_plain = address.len() <= UNSUBSCRIBE_BYTES_MAX
        && address
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"<>,".contains(&byte));
    let is_safe = |url: Url| match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        },
        _ => false,
    };
    if is_plain && Url::parse(address).is_ok_and(is_safe) {
        Ok(())
    } else {
        Err(rejected("the address to unsubscribe is not an https URL"))
    }
}

fn check_owner(owner: &str) -> Result<(), Error> {
    if (1..=OWNER_BYTES_MAX).contains(&owner.len()) {
        Ok(())
    } else {
        Err(rejected(&format!(
            "the owner has not 1 to {OWNER_BYTES_MAX} bytes"
        )))
    }
}

fn check_key(key: &str) -> Result<(), Error> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        Ok(())
    } else {
        Err(rejected(&format!(
            "the idempotency key has not 1 to {KEY_BYTES_MAX} bytes"
        )))
    }
}

fn check_line(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        return Err(rejected(&format!("{what} has more than {bytes_max} bytes")));
    }
    if text.contains(char::is_control) {
        return Err(rejected(&format!("{what} has a control character")));
    }
    Ok(())
}

fn check_chars(what: &str, text: &str, chars_max: usize) -> Result<(), Error> {
    if text.chars().count() > chars_max {
        return Err(rejected(&format!(
            "{what} has more than {chars_max} characters"
        )));
    }
    Ok(())
}

fn rejected(why: &str) -> Error {
    Error::Rejected(why.to_owned())
}

fn bad_address(why: &str) -> Error {
    Error::BadAddress(why.to_owned())
}
