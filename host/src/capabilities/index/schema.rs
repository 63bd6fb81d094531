//! What an index is declared to hold, and what may be written and asked of it.

mod queries;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use super::{Change, Error, Field, GeoPoint, Replacement, Value};
use crate::manifest::FieldType;

pub const CHANGES_MAX: usize = 500;
/// Of a load: 500 documents with two sources each.
pub const LOAD_MAX: usize = 1_000;
/// Documents that one scan gives.
pub const SCAN_MAX: u32 = 500;
/// Sources of one document that is replaced.
pub const SOURCES_MAX: usize = 16;
pub const ID_BYTES_MAX: usize = 128;
pub const SOURCE_BYTES_MAX: usize = 64;
/// A version is a signed 64-bit number for some products.
pub const VERSION_MAX: u64 = i64::MAX as u64;
pub const KEYWORD_BYTES_MAX: usize = 256;
/// Of one field of one document.
pub const KEYWORDS_MAX: usize = 32;
pub const TEXT_BYTES_MAX: usize = 4_096;
pub const FILTER_CLAUSES_MAX: usize = 16;
pub const FACTORS_MAX: usize = 4;
pub const TERMS_MAX: usize = 32;
pub const FACETS_MAX: usize = 4;
/// Values that one facet counts.
pub const FACET_VALUES_MAX: u32 = 100;
/// One more than the intervals between them.
pub const FACET_BOUNDS_MAX: usize = 63;
pub const HITS_MAX: u32 = 100;
pub const WORDS_BYTES_MAX: usize = 256;
pub const RADIUS_M_MAX: f64 = 1_000_000.0;
/// Numbers are factors of the score, and a score has 32 bits in some products.
pub const NUMBER_MAX: f64 = 1e9;
/// The last millisecond of the year 9999.
pub const DATE_MS_MAX: i64 = 253_402_300_799_999;
pub const TOTAL_EXACT_MAX: u64 = 10_000;

/// Fields with this prefix are the adapters' own.
pub const RESERVED_PREFIX: &str = "praxis_";

/// The fields of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// By name.
    fields: Vec<(String, FieldType)>,
}

impl Schema {
    /// Checks the names: lower-case letters, digits and `_`, beginning with a letter.
    pub fn parse(index: &str, fields: &BTreeMap<String, FieldType>) -> anyhow::Result<Self> {
        check_name(index).with_context(|| format!("the index {index:?}"))?;
        for field in fields.keys() {
            check_name(field).with_context(|| format!("the field {field:?} of {index:?}"))?;
            ensure!(
                !field.starts_with(RESERVED_PREFIX),
                "the field {field:?} of {index:?}: {RESERVED_PREFIX} is the adapters' own"
            );
        }
        Ok(Self {
            fields: fields.clone().into_iter().collect(),
        })
    }

    /// The fields in the order of their names.
    pub fn fields(&self) -> impl Iterator<Item = (&str, FieldType)> {
        self.fields
            .iter()
            .map(|(name, kind)| (name.as_str(), *kind))
    }

    /// Where in that order the field stands.
    pub fn place(&self, name: &str) -> Option<usize> {
        let found = self
            .fields
            .binary_search_by(|(field, _)| field.as_str().cmp(name));
        found.ok()
    }

    /// The type of the field that stands there.
    pub fn kind_at(&self, place: usize) -> FieldType {
        self.fields[place].1
    }

    /// Whether the value may stand in that field.
    pub fn check_field(&self, field: &Field) -> Result<(), Error> {
        let kind = self.kind(&field.name)?;
        match (&field.value, kind) {
            (Value::Absent, _) => Ok(()),
            (Value::Keyword(text), FieldType::Keyword) => {
                check_bytes(&field.name, text, KEYWORD_BYTES_MAX)
            }
            (Value::Keywords(all), FieldType::Keyword) => check_keywords(&field.name, all),
            (Value::Keyword(text) | Value::Text(text), FieldType::Stored)
            | (Value::Text(text), FieldType::Text) => {
                check_bytes(&field.name, text, TEXT_BYTES_MAX)
            }
            (Value::Number(number), FieldType::Number) => check_number(&field.name, *number),
            (Value::Date(ms), FieldType::Date) => check_date(&field.name, *ms),
            (Value::Geo(point), FieldType::GeoPoint) => check_point(&field.name, *point),
            (Value::Boolean(_), FieldType::Boolean) => Ok(()),
            (
                Value::Keyword(_)
                | Value::Keywords(_)
                | Value::Text(_)
                | Value::Number(_)
                | Value::Date(_)
                | Value::Geo(_)
                | Value::Boolean(_),
                _,
            ) => Err(Error::BadField(format!("{} is {kind:?}", field.name))),
        }
    }

    pub(super) fn check_changes(&self, changes: &[Change]) -> Result<(), Error> {
        self.check_many(changes, CHANGES_MAX)
    }

    /// As `check_changes`, for a generation that is being built.
    pub(super) fn check_load(&self, changes: &[Change]) -> Result<(), Error> {
        self.check_many(changes, LOAD_MAX)
    }

    fn check_many(&self, changes: &[Change], changes_max: usize) -> Result<(), Error> {
        if changes.len() > changes_max {
            return Err(Error::Invalid(format!("more than {changes_max} changes")));
        }
        for change in changes {
            check_id(&change.id)?;
            check_version(&change.source, change.version)?;
            for field in &change.fields {
                self.check_field(field)?;
            }
        }
        Ok(())
    }

    /// What was seen is only compared: it may be anything.
    pub(super) fn check_replacement(&self, replacement: &Replacement) -> Result<(), Error> {
        check_id(&replacement.id)?;
        let Some(content) = &replacement.becomes else {
            return Ok(());
        };
        if content.versions.len() > SOURCES_MAX {
            return Err(Error::Invalid(format!("more than {SOURCES_MAX} sources")));
        }
        let mut sources: Vec<_> = content.versions.iter().map(|of| &of.source).collect();
        sources.sort_unstable();
        if sources.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::Invalid("a source that is there twice".into()));
        }
        for of in &content.versions {
            check_version(&of.source, of.version)?;
        }
        let mut fields = content.fields.iter();
        fields.try_for_each(|field| self.check_field(field))
    }

    fn kind(&self, field: &str) -> Result<FieldType, Error> {
        match self.place(field) {
            Some(place) => Ok(self.fields[place].1),
            None => Err(Error::BadField(format!("there is no {field:?}"))),
        }
    }
}

/// Whether a document may have that id.
pub(super) fn check_id(id: &str) -> Result<(), Error> {
    if id.is_empty() {
        return Err(Error::Invalid("the id is empty".into()));
    }
    check_bytes("the id", id, ID_BYTES_MAX)
}

/// Whether that many documents can be given from there on.
pub(super) fn check_scan(after: Option<&str>, limit: u32) -> Result<(), Error> {
    if !(1..=SCAN_MAX).contains(&limit) {
        return Err(Error::Invalid(format!(
            "a limit that is not 1 to {SCAN_MAX}"
        )));
    }
    after.map_or(Ok(()), |id| check_bytes("the id", id, ID_BYTES_MAX))
}

fn check_version(source: &str, version: u64) -> Result<(), Error> {
    if source.is_empty() {
        return Err(Error::Invalid("the source is empty".into()));
    }
    check_bytes("the source", source, SOURCE_BYTES_MAX)?;
    if version > VERSION_MAX {
        return Err(Error::Invalid(format!("a version above {VERSION_MAX}")));
    }
    Ok(())
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let mut letters = name.chars();
    ensure!(
        letters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
        "a name has lower-case letters, digits and _, and begins with a letter"
    );
    ensure!(name.len() <= 64, "a name has 64 bytes at most");
    Ok(())
}

fn check_bytes(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() <= bytes_max {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{what} has more than {bytes_max} bytes"
        )))
    }
}

fn check_keywords(field: &str, all: &[String]) -> Result<(), Error> {
    if !(1..=KEYWORDS_MAX).contains(&all.len()) {
        return Err(Error::Invalid(format!(
            "{field} has a number of keywords that is not 1 to {KEYWORDS_MAX}"
        )));
    }
    for (at, one) in all.iter().enumerate() {
        check_bytes(field, one, KEYWORD_BYTES_MAX)?;
        if all[..at].contains(one) {
            return Err(Error::Invalid(format!("{field} has {one:?} twice")));
        }
    }
    Ok(())
}

fn check_number(field: &str, number: f64) -> Result<(), Error> {
    if (0.0..=NUMBER_MAX).contains(&number) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{field} is not 0 to {NUMBER_MAX}")))
    }
}

fn check_date(field: &str, ms: i64) -> Result<(), Error> {
    if (-DATE_MS_MAX..=DATE_MS_MAX).contains(&ms) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{field} is too far in time")))
    }
}

fn check_point(what: &str, point: GeoPoint) -> Result<(), Error> {
    if (-90.0..=90.0).contains(&point.lat) && (-180.0..=180.0).contains(&point.lon) {
        Ok(())
    } else {
        Err(Error::Invalid(format!("{what} is not on the globe")))
    }
}
