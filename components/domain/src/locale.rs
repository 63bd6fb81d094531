//! The language that somebody is spoken to in, and the country whose forms it follows.

use icu_locale_core::subtags::Region;
use icu_locale_core::{LanguageIdentifier, Locale as Tag};

/// Spoken to whoever named no other language.
pub const LOCALE_DEFAULT: &str = "en";

/// A language, perhaps with a script and a region: `de`, `de-AT`, `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(LanguageIdentifier);

/// It is no language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag: de, de-AT")]
pub struct NoLocale;

impl Locale {
    /// A tag of BCP 47, in any spelling. What it says beyond language, script and region is dropped.
    pub fn parse(tag: &str) -> Result<Self, NoLocale> {
        let tag = Tag::try_from_str(tag).map_err(|_| NoLocale)?;
        let mut id = tag.id;
        id.variants.clear();
        if id.language.is_unknown() {
            return Err(NoLocale);
        }
        Ok(Self(id))
    }

    /// What somebody asked for; English where that is nothing, or no tag.
    pub fn or_default(tag: Option<&str>) -> Self {
        tag.and_then(|tag| Self::parse(tag).ok())
            .unwrap_or_else(Self::english)
    }

    pub fn english() -> Self {
        Self::parse(LOCALE_DEFAULT).expect("the default is a tag")
    }

    /// `de`
    pub fn language(&self) -> &str {
        self.0.language.as_str()
    }

    pub fn is_of_language(&self, other: &Self) -> bool {
        self.0.language == other.0.language
    }

    /// Itself and what it is a kind of, the nearest first: `de-AT`, `de`.
    pub fn candidates(&self) -> Vec<Self> {
        let mut candidates = vec![self.clone()];
        for id in [
            LanguageIdentifier {
                region: None,
                ..self.0.clone()
            },
            LanguageIdentifier::from(self.0.language),
        ] {
            if candidates.iter().all(|known| known.0 != id) {
                candidates.push(Self(id));
            }
        }
        candidates
    }

    /// With a country's forms, where it names none itself: English of a practice in Berlin is `en-DE`,
    /// and has 24 hours a day.
    #[must_use]
    pub fn in_country(&self, country: &str) -> Self {
        let mut id = self.0.clone();
        if id.region.is_none() {
            id.region = Region::try_from_str(country).ok();
        }
        Self(id)
    }

    pub(crate) fn id(&self) -> &LanguageIdentifier {
        &self.0
    }
}

impl std::fmt::Display for Locale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.to_string())
    }
}

impl serde::Serialize for Locale {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(tag: &str) -> Vec<String> {
        let candidates = Locale::parse(tag).unwrap().candidates();
        candidates.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_tag_has_one_spelling() {
        for (written, kept) in [
            ("DE-at", "de-AT"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("de-AT-u-hc-h12", "de-AT"),
            ("de-1996", "de"),
        ] {
            assert_eq!(Locale::parse(written).unwrap().to_string(), kept);
        }
        for tag in ["", "english please", "und", "und-AT", "x"] {
            assert_eq!(Locale::parse(tag), Err(NoLocale), "{tag}");
        }
    }

    #[test]
    fn the_nearest_comes_first() {
        assert_eq!(candidates("de-AT"), ["de-AT", "de"]);
        assert_eq!(candidates("fr"), ["fr"]);
        assert_eq!(candidates("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh"]);
    }

    #[test]
    fn who_names_no_country_follows_the_practices() {
        let english = Locale::english();
        assert_eq!(english.in_country("DE").to_string(), "en-DE");
        assert_eq!(english.in_country("not one").to_string(), "en");
        let american = Locale::parse("en-US").unwrap();
        assert_eq!(american.in_country("DE"), american);
    }

    #[test]
    fn nobody_is_left_without_a_language() {
        assert_eq!(Locale::or_default(None), Locale::english());
        assert_eq!(Locale::or_default(Some("?")), Locale::english());
        assert_eq!(Locale::or_default(Some("it")).language(), "it");
    }
}
