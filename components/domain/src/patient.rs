//! Who is told, and how.

use serde::{Deserialize, Serialize};

use crate::FieldError;

pub const NAME_CHARS_MAX: usize = 200;
pub const EMAIL_BYTES_MAX: usize = 254;
/// E.164: a plus sign and up to 15 digits.
pub const PHONE_DIGITS_MAX: usize = 15;
pub const PHONE_DIGITS_MIN: usize = 7;
pub const LOCALE_BYTES_MAX: usize = 35;

/// How a person may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Email,
    Sms,
    Push,
}

impl Channel {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "sms" => Some(Self::Sms),
            "push" => Some(Self::Push),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Push => "push",
        }
    }
}

/// What a patient tells of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub locale: Option<String>,
    #[serde(default = "email_only")]
    pub channels: Vec<Channel>,
}

fn email_only() -> Vec<Channel> {
    vec![Channel::Email]
}

impl Profile {
    /// Everything that is wrong with it; nothing, if it can be kept.
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        check(&mut errors, "/name", self.name.as_deref(), check_name);
        check(&mut errors, "/email", self.email.as_deref(), check_email);
        check(&mut errors, "/phone", self.phone.as_deref(), check_phone);
        check(&mut errors, "/locale", self.locale.as_deref(), check_locale);
        for (index, channel) in self.channels.iter().enumerate() {
            if self.channels[..index].contains(channel) {
                errors.push(FieldError::new(
                    format!("/channels/{index}"),
                    "names a channel twice",
                ));
            }
        }
        errors
    }
}

fn check(
    errors: &mut Vec<FieldError>,
    pointer: &str,
    value: Option<&str>,
    rule: fn(&str) -> Result<(), &'static str>,
) {
    if let Some(Err(detail)) = value.map(rule) {
        errors.push(FieldError::new(pointer, detail));
    }
}

pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() {
        return Err("must not be empty");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        return Err("must have 200 characters at most");
    }
    if name.chars().any(char::is_control) {
        return Err("must not hold control characters");
    }
    Ok(())
}

/// Enough to refuse what no mail server takes; whether it reaches anyone, only a mail can tell.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    let refused = Err("must be an e-mail address: name@example.org");
    let Some((local, domain)) = email.rsplit_once('@') else {
        return refused;
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"(),:;<>@[\\]".contains(c);
    let dots = |text: &str| text.starts_with('.') || text.ends_with('.') || text.contains("..");
    if email.len() > EMAIL_BYTES_MAX || local.is_empty() || local.len() > 64 {
        return refused;
    }
    if local.contains(odd) || domain.contains(odd) || dots(local) || dots(domain) {
        return refused;
    }
    if domain.is_empty() || domain.split('.').any(|label| label.starts_with('-')) {
        return refused;
    }
    Ok(())
}

pub fn check_phone(phone: &str) -> Result<(), &'static str> {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    let length = PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX;
    if length.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
    {
        Ok(())
    } else {
        Err("must be an E.164 number: +4930123456")
    }
}

/// BCP 47 in outline: `en`, `pt-BR`, `zh-Hant-TW`.
pub fn check_locale(locale: &str) -> Result<(), &'static str> {
    let mut parts = locale.split('-');
    let language = parts.next().unwrap_or_default();
    let alphabetic = language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = (2..=8).contains(&language.len()) && alphabetic;
    let subtags = parts.all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if known && subtags && locale.len() <= LOCALE_BYTES_MAX {
        Ok(())
    } else {
        Err("must be a language tag: en, pt-BR")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once() {
        let profile = Profile {
            name: Some(" ".into()),
            email: Some("nobody".into()),
            phone: Some("030 123".into()),
            locale: Some("english please".into()),
            channels: vec![Channel::Sms, Channel::Sms],
        };
        let pointers: Vec<_> = profile.check().into_iter().map(|e| e.pointer).collect();
        assert_eq!(
            pointers,
            ["/name", "/email", "/phone", "/locale", "/channels/1"]
        );
    }

    #[test]
    fn ordinary_people_pass() {
        let profile = Profile {
            name: Some("Zoë Nguyễn".into()),
            email: Some("zoe+praxis@mail.example.org".into()),
            phone: Some("+4930123456".into()),
            locale: Some("de-AT".into()),
            channels: vec![Channel::Email, Channel::Push],
        };
        assert_eq!(profile.check(), []);
        assert_eq!(Profile::default().check(), []);
    }

    #[test]
    fn an_address_can_not_carry_a_header() {
        for email in [
            "a@b\r\nBcc: c@d",
            "a b@c",
            "<a@b>",
            "a@",
            "@b",
            "a..b@c",
            "a@-b",
        ] {
            assert!(check_email(email).is_err(), "{email:?}");
        }
    }
}
