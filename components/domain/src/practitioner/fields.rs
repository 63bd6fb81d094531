//! A JSON object, field by field, with every complaint kept and its place named.

use serde_json::{Map, Value};

use crate::FieldError;

/// The fields of one object that nobody has taken yet, and what was wrong with the others.
pub struct Fields {
    values: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// How long a text may be.
#[derive(Clone, Copy)]
pub struct Limits {
    chars_min: usize,
    chars_max: usize,
}

impl Limits {
    pub fn chars(chars_min: usize, chars_max: usize) -> Self {
        Self {
            chars_min,
            chars_max,
        }
    }
}

impl Fields {
    /// `null` is the same as no field. Fields that are not `known` are errors.
    pub fn new(mut values: Map<String, Value>, known: &[&str]) -> Self {
        values.retain(|_, value| !value.is_null());
        let unknown: Vec<String> = values
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
            .cloned()
            .collect();
        let mut fields = Self {
            values,
            errors: Vec::new(),
        };
        for name in unknown {
            fields.error(&name, "is not a field that is known here");
        }
        fields
    }

    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    pub fn error(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError::new(pointer(name), detail));
    }

    /// An error in the list that is the field's value.
    pub fn error_at(&mut self, name: &str, index: usize, detail: &str) {
        let pointer = format!("{}/{index}", pointer(name));
        self.errors.push(FieldError::new(pointer, detail));
    }

    /// Whether an error was noted for the field.
    pub fn is_wrong(&self, name: &str) -> bool {
        let pointer = pointer(name);
        self.errors.iter().any(|error| error.pointer == pointer)
    }

    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    pub fn take_all(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.values)
    }

    /// A text that must be there. It is trimmed, and has no control characters.
    pub fn text(&mut self, name: &str, limits: Limits) -> Option<String> {
        if !self.values.contains_key(name) {
            self.error(name, "is missing");
            return None;
        }
        self.optional_text(name, limits)
    }

    pub fn optional_text(&mut self, name: &str, limits: Limits) -> Option<String> {
        let Value::String(text) = self.take(name)? else {
            self.error(name, "must be a string");
            return None;
        };
        let text = text.trim();
        let chars = text.chars().count();
        if text.contains(char::is_control) {
            self.error(name, "must have no control characters");
        } else if chars < limits.chars_min {
            self.error(name, "must not be empty");
        } else if chars > limits.chars_max {
            self.error(
                name,
                format!("must have {} characters at most", limits.chars_max),
            );
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// A text of a form of its own. An empty one is the same as none.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        complaint: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let Value::String(text) = self.take(name)? else {
            self.error(name, "must be a string");
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let parsed = parse(text);
        if parsed.is_none() {
            self.error(name, complaint);
        }
        parsed
    }

    /// A number from `least` to `most`.
    pub fn number(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.take(name)?;
        let number = value
            .as_f64()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.error(name, format!("must be a number from {least} to {most}"));
        }
        number
    }

    /// A whole number from `least` to `most`.
    pub fn whole_number(&mut self, name: &str, least: i32, most: i32) -> Option<i32> {
        let number = self.take(name)?.as_i64();
        let number = number.and_then(|number| i32::try_from(number).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let detail = format!("must be a whole number from {least} to {most}");
            self.error(name, detail);
        }
        number
    }

    pub fn required_number(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        if !self.values.contains_key(name) {
            self.error(name, "is missing");
        }
        self.number(name, least, most)
    }

    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let flag = self.take(name)?.as_bool();
        if flag.is_none() {
            self.error(name, "must be true or false");
        }
        flag
    }

    /// An object that must be there, with these fields. To be given back to `adopt`.
    pub fn object(&mut self, name: &str, known: &[&str]) -> Option<Self> {
        match self.take(name) {
            Some(Value::Object(map)) => Some(Self::new(map, known)),
            Some(_) => {
                self.error(name, "must be an object");
                None
            }
            None => {
                self.error(name, "is missing");
                None
            }
        }
    }

    /// An object with any fields. To be given back to `adopt`.
    pub fn optional_object(&mut self, name: &str) -> Option<Self> {
        match self.take(name)? {
            Value::Object(values) => Some(Self {
                values,
                errors: Vec::new(),
            }),
            _ => {
                self.error(name, "must be an object");
                None
            }
        }
    }

    /// A list, empty where there is none.
    pub fn list(&mut self, name: &str, items_max: usize) -> Option<Vec<Value>> {
        match self.take(name) {
            None => Some(Vec::new()),
            Some(Value::Array(items)) if items.len() <= items_max => Some(items),
            Some(Value::Array(_)) => {
                self.error(name, format!("must have {items_max} items at most"));
                None
            }
            Some(_) => {
                self.error(name, "must be a list");
                None
            }
        }
    }

    /// A list of objects with these fields, each with its place, to be given back to `adopt_at`.
    pub fn objects(
        &mut self,
        name: &str,
        known: &[&str],
        items_max: usize,
    ) -> Option<Vec<(usize, Self)>> {
        let items = self.list(name, items_max)?;
        let mut objects = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::Object(map) => objects.push((index, Self::new(map, known))),
                _ => self.error_at(name, index, "must be an object"),
            }
        }
        Some(objects)
    }

    /// Whether nothing is wrong so far.
    pub fn is_right(&self) -> bool {
        self.errors.is_empty()
    }

    /// Takes over the complaints about the object that is the field's value.
    pub fn adopt(&mut self, name: &str, inner: Self) {
        self.take_over(&pointer(name), inner);
    }

    /// Takes over the complaints about an object in the list that is the field's value.
    pub fn adopt_at(&mut self, name: &str, index: usize, inner: Self) {
        self.take_over(&format!("{}/{index}", pointer(name)), inner);
    }

    /// An error in a field of an object in the list that is the field's value.
    pub fn error_within(&mut self, name: &str, index: usize, inner: &str, detail: String) {
        let pointer = format!("{}/{index}{}", pointer(name), pointer(inner));
        self.errors.push(FieldError::new(pointer, detail));
    }

    fn take_over(&mut self, place: &str, inner: Self) {
        for error in inner.errors {
            let pointer = format!("{place}{}", error.pointer);
            self.errors.push(FieldError::new(pointer, error.detail));
        }
    }
}

/// RFC 6901: `~` and `/` in a name are escaped.
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
