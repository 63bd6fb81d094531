//! What can be done once: everything is checked that can be without saying something.

use std::ops::Range;

use minijinja::Environment;

use crate::bindings::praxis::template::types::{Channel, Mistake};
use crate::compiled::{Compiled, FORMAT, Origin, name};
use crate::environment::{HTML, VIEW, environment, has_filter, has_test, what};
use crate::limits::{MISTAKES_MAX, SOURCE_BYTES_MAX};
use crate::mjml;
use crate::place::{self, mistake, nowhere};
use crate::source::{self, Block, Tokens, Use};

const MJML: &str = "mjml";

pub fn compile(channel: Channel, text: &str) -> Result<String, Vec<Mistake>> {
    if text.len() > SOURCE_BYTES_MAX {
        let what = format!("it has more than {SOURCE_BYTES_MAX} bytes");
        return Err(vec![nowhere(what)]);
    }
    let tokens = source::tokens(text).map_err(|mistake| vec![mistake])?;
    let blocks = source::blocks(text, &tokens.pieces).map_err(limited)?;
    let environment = environment();
    let mut mistakes = check_blocks(channel, text, &blocks);
    mistakes.extend(check_uses(&environment, text, &tokens));
    let mut compiled = Compiled {
        format: FORMAT,
        channel: name(channel).to_owned(),
        ..Compiled::default()
    };
    for block in &blocks {
        let (part, body) = source::only(text, &blocks, block);
        if let Err(mistake) = check_part(&environment, text, block, &part) {
            mistakes.push(mistake);
            continue;
        }
        match block.name {
            "subject" => compiled.subject = Some(part),
            "text" => compiled.text = part,
            HTML => compiled.html = Some(part),
            MJML => match lay_out(text, &tokens, block, &part, body) {
                Ok((html, places)) => {
                    compiled.html = Some(html);
                    compiled.places = places;
                }
                Err(mistake) => mistakes.push(mistake),
            },
            _ => {}
        }
    }
    if !mistakes.is_empty() {
        return Err(limited(mistakes));
    }
    serde_json::to_string(&compiled).map_err(|error| vec![nowhere(error.to_string())])
}

/// In the order of the text, and not too many.
fn limited(mut mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    mistakes.dedup_by(|a, b| a.detail == b.detail && (a.line, a.column) == (b.line, b.column));
    mistakes.truncate(MISTAKES_MAX);
    mistakes
}

/// The blocks that a channel needs, and those that it may have besides.
fn wanted(channel: Channel) -> (&'static [&'static str], &'static [&'static str]) {
    match channel {
        Channel::Email => (&["subject", "text"], &[HTML, MJML]),
        Channel::Sms => (&["text"], &[]),
        Channel::Push => (&["subject", "text"], &[]),
    }
}

fn check_blocks(channel: Channel, text: &str, blocks: &[Block<'_>]) -> Vec<Mistake> {
    let (needed, allowed) = wanted(channel);
    let mut mistakes = Vec::new();
    for block in blocks {
        if !needed.contains(&block.name) && !allowed.contains(&block.name) {
            let known = [needed, allowed].concat().join(", ");
            let what = format!(
                "block {}: {} has no such part, but {known}",
                block.name,
                name(channel)
            );
            mistakes.push(mistake(text, block.whole.start, what));
        }
    }
    let find = |name: &str| blocks.iter().find(|block| block.name == name);
    for name in needed {
        if find(name).is_none() {
            mistakes.push(nowhere(format!("there is no block {name}")));
        }
    }
    if let (Some(_), Some(second)) = (find(HTML), find(MJML)) {
        let what = "block mjml: there is a block html as well; one of them is the layout";
        mistakes.push(mistake(text, second.whole.start, what));
    }
    mistakes
}

/// Filters and tests that are not there: found now, not when a message waits.
fn check_uses(environment: &Environment<'_>, text: &str, tokens: &Tokens<'_>) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (kind, name, offset) in &tokens.uses {
        let what = match kind {
            Use::Filter if !has_filter(environment, name) => format!("there is no filter {name}"),
            Use::Test if !has_test(environment, name) => format!("there is no test {name}"),
            Use::Filter | Use::Test | Use::Name => continue,
        };
        mistakes.push(mistake(text, *offset, what));
    }
    mistakes
}

/// Its syntax, and the names that it takes from outside.
fn check_part(
    environment: &Environment<'_>,
    text: &str,
    block: &Block<'_>,
    part: &str,
) -> Result<(), Mistake> {
    let template = environment.template_from_named_str(block.name, part);
    let template = template.map_err(|error| {
        let offset = error.range().map_or(0, |range| range.start);
        let (line, column) = place::of(part, offset);
        Mistake {
            detail: what(&error),
            line: Some(line),
            column: Some(column),
        }
    })?;
    let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| name != VIEW && environment.globals().all(|(known, _)| known != name));
    unknown.sort();
    let Some(name) = unknown.first() else {
        return Ok(());
    };
    let tokens = source::tokens(part)?;
    let used = tokens.uses.iter();
    let mut used = used.filter(|(kind, used, _)| *kind == Use::Name && used == name);
    let offset = used.next().map_or(block.body.start, |(_, _, at)| *at);
    let what = format!("there is no {name} here: what may be said is in view");
    let (line, column) = match part.get(..offset) {
        Some(_) => place::of(part, offset),
        None => place::of(text, block.whole.start),
    };
    Err(Mistake {
        detail: what,
        line: Some(line),
        column: Some(column),
    })
}

/// The part with HTML in the place of MJML, and where everything in it comes from.
fn lay_out(
    text: &str,
    tokens: &Tokens<'_>,
    block: &Block<'_>,
    part: &str,
    body: Range<usize>,
) -> Result<(String, Vec<Origin>), Mistake> {
    let laid_out = mjml::lay_out(text, &tokens.pieces, &block.body)?;
    let before = &part[..body.start];
    let html = [before, &laid_out.html, &part[body.end..]].concat();
    let mut origins = laid_out.origins;
    origins.push((laid_out.html.len(), block.body.end));
    let written: Vec<usize> = origins.iter().map(|(_, origin)| *origin).collect();
    let written = place::of_all(text, &written);
    let places = origins.iter().zip(written);
    let places = places.map(|((at, _), (line, column))| (before.len() + at, line, column));
    Ok((html, places.collect()))
}
