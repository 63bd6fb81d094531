//! A TOML document, read key by key. Whatever key a reader asks for is known by that, so that
//! what nobody asked for is unknown: the readers are the schema.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Findings, Place, suggest};

/// Where in the text something is written, in bytes.
pub(super) type Span = Range<usize>;

/// What the table is called that holds all others.
pub(super) const ROOT: &str = "the manifest";

/// What a name in the manifest refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Component,
    Topic,
    Index,
    Variable,
}

/// A name that must be declared somewhere, before or after.
pub(super) struct Reference {
    pub kind: Kind,
    pub name: String,
    /// Who refers to it: `[[trigger.http]]`.
    pub from: String,
    pub span: Span,
}

/// What is found out on the way, shared by all readers of one document.
pub(super) struct Report<'t> {
    pub findings: RefCell<Findings<'t>>,
    pub references: RefCell<Vec<Reference>>,
}

impl<'t> Report<'t> {
    pub fn new(findings: Findings<'t>) -> Self {
        Self {
            findings: RefCell::new(findings),
            references: RefCell::default(),
        }
    }

    pub fn fault(&self, span: &Span, what: impl Into<String>) {
        self.findings.borrow_mut().fault(span, what);
    }

    pub fn warning(&self, span: &Span, what: impl Into<String>) {
        self.findings.borrow_mut().warning(span, what);
    }

    pub fn refer(&self, kind: Kind, name: &str, from: &str, span: &Span) {
        self.references.borrow_mut().push(Reference {
            kind,
            name: name.to_owned(),
            from: from.to_owned(),
            span: span.clone(),
        });
    }
}

/// A table, and the keys of it that somebody has asked for.
pub(super) struct Table<'r, 't> {
    /// As the manifest would write it: `[component.web]`.
    pub name: String,
    pub span: Span,
    pub report: &'r Report<'t>,
    entries: &'r DeTable<'r>,
    asked: Vec<&'static str>,
}

impl<'r, 't> Table<'r, 't> {
    pub fn new(name: String, table: &'r Spanned<DeTable<'r>>, report: &'r Report<'t>) -> Self {
        Self {
            name,
            span: table.span(),
            report,
            entries: table.get_ref(),
            asked: Vec::new(),
        }
    }

    /// The value of a key, if it is there. From now on the key is known.
    pub fn item(&mut self, key: &'static str) -> Option<Item<'r, 't>> {
        self.asked.push(key);
        let (key, value) = self.entries.get_key_value(key)?;
        Some(self.of(key, value))
    }

    /// The value of a key that must be there.
    pub fn required(&mut self, key: &'static str) -> Option<Item<'r, 't>> {
        let item = self.item(key);
        if item.is_none() {
            let what = format!("{} lacks {key:?}", self.name);
            self.report.fault(&self.span, what);
        }
        item
    }

    /// Text that must be there; empty where it is not, and a fault is noted.
    pub fn text(&mut self, key: &'static str) -> String {
        let item = self.required(key);
        item.and_then(|item| item.text()).unwrap_or_default()
    }

    pub fn optional_text(&mut self, key: &'static str) -> Option<String> {
        self.item(key)?.text()
    }

    /// For text that is read by people alone: its form counts, and nothing follows.
    pub fn check_text(&mut self, key: &'static str) {
        self.optional_text(key);
    }

    /// A list of text; empty if it is not there.
    pub fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.list(key).iter().filter_map(Item::text).collect()
    }

    pub fn list(&mut self, key: &'static str) -> Vec<Item<'r, 't>> {
        let items = self.item(key).and_then(|item| item.list());
        items.unwrap_or_default()
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.item(key)?.flag()
    }

    pub fn number<T: TryFrom<i64>>(&mut self, key: &'static str) -> Option<T> {
        self.item(key)?.number()
    }

    /// A number that has to be one at least.
    pub fn positive<T: TryFrom<i64>, N: TryFrom<T>>(&mut self, key: &'static str) -> Option<N> {
        let item = self.item(key)?;
        let number = N::try_from(item.number::<T>()?).ok();
        number.or_else(|| {
            let what = format!("{} is 0; write at least 1", item.name);
            item.report.fault(&item.span, what);
            None
        })
    }

    pub fn one_of<T: Copy>(&mut self, key: &'static str, known: &[(&str, T)]) -> Option<T> {
        self.item(key)?.one_of(known)
    }

    /// A list of words of which each must be known.
    pub fn some_of<T: Copy>(&mut self, key: &'static str, known: &[(&str, T)]) -> Vec<T> {
        let items = self.list(key);
        items.iter().filter_map(|item| item.one_of(known)).collect()
    }

    pub fn table(&mut self, key: &'static str) -> Option<Table<'r, 't>> {
        self.item(key)?.table()
    }

    /// What a table below this one holds, whatever its keys are; nothing if it is not there.
    pub fn entries_of(&mut self, key: &'static str) -> Vec<Entry<'r, 't>> {
        self.table(key).map(Table::entries).unwrap_or_default()
    }

    /// Names to text.
    pub fn texts_by_name(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let entries = self.entries_of(key).into_iter();
        entries
            .filter_map(|entry| Some((entry.key, entry.item.text()?)))
            .collect()
    }

    /// Notes a fault if a key is there that Spin knows and this host does not take.
    pub fn refuse(&mut self, key: &'static str, why: &str) {
        if let Some(item) = self.item(key) {
            self.report
                .fault(&item.span, format!("{}: {why}", item.name));
        }
    }

    /// All keys, each of them known.
    pub fn entries(self) -> Vec<Entry<'r, 't>> {
        let entries = self.entries.iter().map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            item: self.of(key, value),
        });
        entries.collect()
    }

    /// Notes every key that nobody has asked for.
    pub fn finish(self) {
        for key in self.entries.keys() {
            let name: &str = key.get_ref();
            if !self.asked.contains(&name) {
                let suggestion = suggest(name, self.asked.iter().copied());
                let what = format!("{} has no key {name:?}; {suggestion}", self.name);
                self.report.fault(&key.span(), what);
            }
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    pub fn place(&self) -> Place {
        self.report.findings.borrow().place(&self.span)
    }

    fn of(
        &self,
        key: &'r Spanned<toml::de::DeString<'r>>,
        value: &'r Spanned<DeValue<'r>>,
    ) -> Item<'r, 't> {
        let name = match self.name.as_str() {
            ROOT => key.get_ref().to_string(),
            name if name.starts_with('[') => {
                format!("{}.{}", name.trim_matches(['[', ']']), key.get_ref())
            }
            name => format!("{name}: {}", key.get_ref()),
        };
        Item {
            name,
            span: value.span(),
            report: self.report,
            value,
        }
    }
}

/// A key that nobody had to know, and its value.
pub(super) struct Entry<'r, 't> {
    pub key: String,
    pub key_span: Span,
    pub item: Item<'r, 't>,
}

/// A value. What is not of the expected type is noted, and is `None`.
pub(super) struct Item<'r, 't> {
    /// As the manifest would write it: `component.web.source`.
    pub name: String,
    pub span: Span,
    pub report: &'r Report<'t>,
    value: &'r Spanned<DeValue<'r>>,
}

impl<'r, 't> Item<'r, 't> {
    pub fn text(&self) -> Option<String> {
        let text = self.value.get_ref().as_str().map(str::to_owned);
        text.or_else(|| self.expected("text in quotes"))
    }

    pub fn flag(&self) -> Option<bool> {
        let flag = self.value.get_ref().as_bool();
        flag.or_else(|| self.expected("true or false"))
    }

    pub fn number<T: TryFrom<i64>>(&self) -> Option<T> {
        let Some(integer) = self.value.get_ref().as_integer() else {
            return self.expected("a whole number");
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix());
        let number = number.ok().and_then(|number| T::try_from(number).ok());
        number.or_else(|| {
            let what = format!("{} is {integer}, which is out of range", self.name);
            self.report.fault(&self.span, what);
            None
        })
    }

    pub fn list(&self) -> Option<Vec<Item<'r, 't>>> {
        let Some(array) = self.value.get_ref().as_array() else {
            return self.expected("a list");
        };
        let items = array.iter().map(|value| Item {
            name: self.name.clone(),
            span: value.span(),
            report: self.report,
            value,
        });
        Some(items.collect())
    }

    pub fn table(&self) -> Option<Table<'r, 't>> {
        self.table_named(format!("[{}]", self.name))
    }

    pub fn table_named(&self, name: String) -> Option<Table<'r, 't>> {
        match self.value.get_ref() {
            DeValue::Table(entries) => Some(Table {
                name,
                span: self.span.clone(),
                report: self.report,
                entries,
                asked: Vec::new(),
            }),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => self.expected("a table"),
        }
    }

    pub fn one_of<T: Copy>(&self, known: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = known.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| *value).or_else(|| {
            let suggestion = suggest(&text, known.iter().map(|(name, _)| *name));
            let what = format!("{} may not be {text:?}; {suggestion}", self.name);
            self.report.fault(&self.span, what);
            None
        })
    }

    pub fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// Notes that the value is not what it should be.
    pub fn expected<T>(&self, what: &str) -> Option<T> {
        let is = match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let what = format!("{} is {is}; it must be {what}", self.name);
        self.report.fault(&self.span, what);
        None
    }
}
