//! The languages that somebody speaks.

use std::collections::BTreeSet;
use std::fmt;

use super::fields::Fields;

/// Of one practitioner.
pub const LANGUAGES_MAX: usize = 20;

/// A BCP 47 primary language subtag, like `de`; of ISO 639, two letters or three. Whether there is such
/// a language is not asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(String);

impl Language {
    pub fn parse(text: &str) -> Option<Self> {
        let plain =
            (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        plain.then(|| Self(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The field `languages`: none where it is left out.
pub fn languages(fields: &mut Fields) -> Option<BTreeSet<Language>> {
    let mut languages = BTreeSet::new();
    for (index, value) in fields.list("languages", LANGUAGES_MAX)?.iter().enumerate() {
        match value.as_str().and_then(Language::parse) {
            Some(language) => drop(languages.insert(language)),
            None => fields.error_at("languages", index, "must be a language, like de (BCP 47)"),
        }
    }
    Some(languages)
}
