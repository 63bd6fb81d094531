//! A tenant's own words: which of them say a message, and what they may be.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::locale::Locale;
use crate::notice::{Audience, Occasion};
use crate::patient::Channel;

pub mod builtin;
pub mod sample;

pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
pub const COMPONENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of one tenant: an event, an audience, a channel and a locale each.
pub const TEMPLATES_MAX: i64 = 1_000;
/// Of one template.
pub const VERSIONS_MAX: i32 = 10_000;
pub const VERSIONS_PER_PAGE_MAX: i64 = 100;
/// Of one version: the newest.
pub const FAILURES_KEPT_MAX: i64 = 50;
pub const FAILURES_KEPT_DAYS: i32 = 30;
pub const FAILURE_BYTES_MAX: usize = 1_000;
pub const SHARE_MAX: u8 = 100;

/// What a template is for. Its versions are numbered from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub occasion: Occasion,
    pub audience: Audience,
    pub channel: Channel,
    pub locale: Locale,
}

impl Key {
    /// None where nobody is told that of it.
    pub fn new(
        occasion: Occasion,
        audience: Audience,
        channel: Channel,
        locale: Locale,
    ) -> Option<Self> {
        let is_told = occasion.concerns(audience) && audience.is_told_by(channel);
        is_told.then_some(Self {
            occasion,
            audience,
            channel,
            locale,
        })
    }

    /// The same in another language.
    #[must_use]
    pub fn in_locale(&self, locale: Locale) -> Self {
        Self {
            locale,
            ..self.clone()
        }
    }
}

/// What a version is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Jinja,
    Component,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Jinja => "jinja",
            Self::Component => "component",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut all = [Self::Jinja, Self::Component].into_iter();
        all.find(|kind| kind.name() == name)
            .ok_or_else(|| format!("{name} is no kind of template"))
    }
}

/// Where a message falls among a hundred, the same at every try: a canary with a share of 10 says
/// those below 10.
pub fn bucket(event_id: &str, recipient: Uuid) -> u8 {
    let digest = Sha256::new()
        .chain_update(event_id)
        .chain_update("\n")
        .chain_update(recipient)
        .finalize();
    let (head, _) = digest
        .split_first_chunk()
        .expect("SHA-256 has more than eight bytes");
    u8::try_from(u64::from_be_bytes(*head) % u64::from(SHARE_MAX)).expect("it is below a hundred")
}

/// The language of the view that a template of `template` is given, where `wanted` was asked for: a
/// text in German has German dates, and Austrian ones for an Austrian.
pub fn spoken<'a>(wanted: &'a Locale, template: &'a Locale) -> &'a Locale {
    match wanted.is_of_language(template) {
        true => wanted,
        false => template,
    }
}

/// The tenant's locales that may speak to somebody, the best first: their own, then the tenant's.
pub fn candidates(wanted: &Locale, tenant_default: &Locale) -> Vec<Locale> {
    let mut candidates = wanted.candidates();
    for locale in tenant_default.candidates() {
        if !candidates.contains(&locale) {
            candidates.push(locale);
        }
    }
    candidates
}

/// SHA-256, in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(tag: &str) -> Locale {
        Locale::parse(tag).unwrap()
    }

    #[test]
    fn a_canary_says_its_share_and_the_same_at_every_try() {
        let bucket = |n: u128| bucket("018f-event", Uuid::from_u128(n));
        let below = |share: u8| (0..10_000).filter(|n| bucket(*n) < share).count();
        assert_eq!(below(0), 0);
        assert!((850..1_150).contains(&below(10)), "{}", below(10));
        assert_eq!(below(SHARE_MAX), 10_000);
        assert_eq!(bucket(7), bucket(7));
    }

    #[test]
    fn who_wants_a_language_gets_its_nearest_form_then_the_tenants() {
        let tags = |wanted, default| {
            let candidates = candidates(&locale(wanted), &locale(default));
            candidates
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(tags("de-AT", "fr-CH"), ["de-AT", "de", "fr-CH", "fr"]);
        assert_eq!(tags("de-AT", "de"), ["de-AT", "de"]);
    }

    #[test]
    fn dates_are_of_the_language_of_the_words() {
        let (austrian, german, french) = (locale("de-AT"), locale("de"), locale("fr"));
        assert_eq!(spoken(&austrian, &german), &austrian);
        assert_eq!(spoken(&austrian, &french), &french);
    }

    #[test]
    fn there_is_no_template_for_what_nobody_is_told() {
        let key = |occasion, audience, channel| Key::new(occasion, audience, channel, locale("en"));
        use Audience::{Patient, Practitioner};
        use Channel::{Email, Push, Sms};
        assert!(key(Occasion::Created, Patient, Push).is_some());
        assert!(key(Occasion::Created, Practitioner, Email).is_some());
        assert!(key(Occasion::Created, Practitioner, Sms).is_none());
        assert!(key(Occasion::Offered, Practitioner, Email).is_none());
    }

    #[test]
    fn a_digest_is_hexadecimal() {
        assert_eq!(digest(b"").len(), 64);
        assert!(digest(b"").starts_with("e3b0c44298fc1c14"));
    }
}
