//! How a tenant appears in what is sent in its name.

use serde::{Deserialize, Serialize};

use crate::FieldError;
use crate::locale::Locale;
use crate::patient::{check_email, check_name};
use crate::reminder;

pub const URL_BYTES_MAX: usize = 2_000;
/// What fits beside an address in one line of a header.
pub const SENDER_NAME_BYTES_MAX: usize = 128;

/// What a tenant's staff say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    /// Of whom it is not known, and where a language has no words of the tenant's own.
    #[serde(default = "english")]
    pub default_locale: String,
    #[serde(default)]
    pub sender_name: Option<String>,
    #[serde(default)]
    pub reply_to: Option<String>,
    #[serde(default)]
    pub logo_url: Option<String>,
    #[serde(default)]
    pub colors: Colors,
    /// How long before an appointment its patient is reminded; nothing: never.
    #[serde(default = "leads")]
    pub reminder_minutes: Vec<i32>,
    #[serde(default)]
    pub reminds_practitioners: bool,
}

/// How its messages look, and who they say they are from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Branding {
    /// Beside the address that mail comes from.
    pub sender_name: Option<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    pub logo_url: Option<String>,
    pub colors: Colors,
}

/// `#0b6e4f`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Colors {
    /// Of links.
    pub primary: String,
    pub background: String,
    pub text: String,
}

impl Default for Colors {
    fn default() -> Self {
        Self {
            primary: "#0b6e4f".to_owned(),
            background: "#f4f2ee".to_owned(),
            text: "#1d2723".to_owned(),
        }
    }
}

fn leads() -> Vec<i32> {
    reminder::LEADS_MINUTES_DEFAULT.to_vec()
}

fn english() -> String {
    Locale::english().to_string()
}

/// What a template may say of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Brand {
    pub name: String,
    pub reply_to: Option<String>,
    pub logo_url: Option<String>,
    pub colors: Colors,
}

impl Brand {
    pub fn of(name: &str, branding: &Branding) -> Self {
        Self {
            name: name.to_owned(),
            reply_to: branding.reply_to.clone(),
            logo_url: branding.logo_url.clone(),
            colors: branding.colors.clone(),
        }
    }
}

impl Profile {
    pub fn branding(&self) -> Branding {
        Branding {
            sender_name: self.sender_name.clone(),
            reply_to: self.reply_to.clone(),
            logo_url: self.logo_url.clone(),
            colors: self.colors.clone(),
        }
    }

    /// Everything that is wrong with it; nothing, if it can be kept.
    pub fn check(&self) -> Vec<FieldError> {
        let colors = &self.colors;
        let checks = [
            ("/name", Some(&self.name), check_name as Rule),
            ("/default_locale", Some(&self.default_locale), check_locale),
            ("/sender_name", self.sender_name.as_ref(), check_sender),
            ("/reply_to", self.reply_to.as_ref(), check_email),
            ("/logo_url", self.logo_url.as_ref(), check_url),
            ("/colors/primary", Some(&colors.primary), check_color),
            ("/colors/background", Some(&colors.background), check_color),
            ("/colors/text", Some(&colors.text), check_color),
        ];
        let wrong = |(pointer, value, rule): (&str, Option<&String>, Rule)| {
            let detail = rule(value?).err()?;
            Some(FieldError::new(pointer, detail))
        };
        let mut errors: Vec<_> = checks.into_iter().filter_map(wrong).collect();
        errors.extend(reminder::check(&self.reminder_minutes));
        errors
    }
}

type Rule = fn(&str) -> Result<(), &'static str>;

fn check_sender(name: &str) -> Result<(), &'static str> {
    if name.len() > SENDER_NAME_BYTES_MAX {
        return Err("must have 128 bytes at most");
    }
    check_name(name)
}

fn check_locale(tag: &str) -> Result<(), &'static str> {
    match Locale::parse(tag) {
        Ok(locale) if locale.to_string() == tag => Ok(()),
        Ok(_) | Err(_) => Err("must be a language tag: de, de-AT"),
    }
}

/// Mail programs load nothing over plain HTTP, and an address with a quote could leave its attribute.
fn check_url(url: &str) -> Result<(), &'static str> {
    let plain = |letter: char| letter.is_ascii_graphic() && !"\"'<>\\`".contains(letter);
    let host = url.strip_prefix("https://").unwrap_or_default();
    let begins_well = host.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    if begins_well && url.len() <= URL_BYTES_MAX && url.chars().all(plain) {
        Ok(())
    } else {
        Err("must be an address: https://example.org/logo.png")
    }
}

fn check_color(color: &str) -> Result<(), &'static str> {
    let digits = color.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err("must be a colour: #0b6e4f")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(json: serde_json::Value) -> Profile {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_name_is_enough() {
        let profile = profile(serde_json::json!({ "name": "Praxis am Rosenhof" }));
        assert_eq!(profile.default_locale, "en");
        assert_eq!(profile.check(), []);
    }

    #[test]
    fn nothing_can_leave_its_attribute() {
        let profile = profile(serde_json::json!({
            "name": "a\r\nb",
            "default_locale": "deutsch bitte",
            "sender_name": "",
            "reply_to": "a@b\r\nBcc: c@d",
            "logo_url": "https://x\" onload=\"y",
            "colors": { "primary": "red;x", "background": "#12345", "text": "#1234567" },
            "reminder_minutes": [5],
        }));
        let pointers: Vec<_> = profile.check().into_iter().map(|e| e.pointer).collect();
        assert_eq!(
            pointers,
            [
                "/name",
                "/default_locale",
                "/sender_name",
                "/reply_to",
                "/logo_url",
                "/colors/primary",
                "/colors/background",
                "/colors/text",
                "/reminder_minutes/0"
            ]
        );
    }

    #[test]
    fn a_logo_comes_over_tls() {
        for url in [
            "http://example.org/a.png",
            "https://",
            "javascript:x",
            "https:///x",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
        assert!(check_url("https://example.org/a.png?b=1&c").is_ok());
    }
}
