//! `{{ name }}` in text.

use anyhow::Context as _;

/// The text with each `{{ name }}` replaced by what `value` gives for the name.
pub fn expand<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> anyhow::Result<String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after
            .split_once("}}")
            .context("a template begins with {{ and is not closed with }}")?;
        let name = name.trim();
        expanded.push_str(before);
        expanded
            .push_str(value(name).with_context(|| format!("the variable {name} has no value"))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}
