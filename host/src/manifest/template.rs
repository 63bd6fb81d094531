//! `{{ name }}` in text.

use anyhow::Context as _;

/// The text with each `{{ name }}` replaced by what `value` gives for the name.
pub fn expand<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = next(rest)? {
        expanded.push_str(before);
        expanded
            .push_str(value(name).with_context(|| format!("the variable {name} has no value"))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The names in a text, in order.
pub fn names(text: &str) -> anyhow::Result<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, name, after)) = next(rest)? {
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn next(text: &str) -> anyhow::Result<Option<(&str, &str, &str)>> {
    let Some((before, after)) = text.split_once("{{") else {
        return Ok(None);
    };
    let (name, after) = after
        .split_once("}}")
        .context("a template begins with {{ and is not closed with }}")?;
    Ok(Some((before, name.trim(), after)))
}
