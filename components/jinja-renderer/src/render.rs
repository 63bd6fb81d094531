//! One message.

use std::io;

use minijinja::value::Serde;
use minijinja::{Environment, Error, Value, context};

use crate::bindings::praxis::template::types::{Channel, Message, Mistake, Request};
use crate::compiled::Compiled;
use crate::environment::{HTML, environment, what};
use crate::limits::{
    PART_BYTES_MAX, PUSH_TEXT_CHARS_MAX, PUSH_TITLE_CHARS_MAX, SMS_CHARS_MAX, SUBJECT_BYTES_MAX,
};
use crate::place::{self, nowhere};

pub fn render(compiled: &str, request: &Request) -> Result<Message, Mistake> {
    let compiled = Compiled::parse(compiled, request.channel)?;
    let view: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&request.view)
        .map_err(|error| nowhere(format!("the view is no JSON object: {error}")))?;
    let view = context! { view => Value::from(Serde(&view)) };
    let environment = environment();
    let say = |name: &str, source: &str| part(&environment, name, source, &view, &compiled);
    let subject = compiled.subject.as_deref();
    let message = Message {
        subject: subject
            .map(|source| say("subject", source).map(|said| one_line(&said)))
            .transpose()?,
        text: say("text", &compiled.text)?,
        html: compiled
            .html
            .as_deref()
            .map(|source| say(HTML, source))
            .transpose()?,
    };
    check(request.channel, &message)?;
    Ok(message)
}

fn part(
    environment: &Environment<'_>,
    name: &str,
    source: &str,
    view: &Value,
    compiled: &Compiled,
) -> Result<String, Mistake> {
    let mut output = Output::default();
    let template = environment.template_from_named_str(name, source);
    let rendered = template.and_then(|template| {
        let rendered = template.render_captured_to(view.clone(), &mut output);
        rendered.map(|_| ())
    });
    if output.is_full {
        let what = format!("{name} is longer than {PART_BYTES_MAX} bytes");
        return Err(nowhere(what));
    }
    rendered.map_err(|error| located(&error, name, source, compiled))?;
    let said = String::from_utf8_lossy(&output.bytes);
    let said = said.trim();
    if said.is_empty() {
        return Err(nowhere(format!("{name} says nothing")));
    }
    Ok(said.to_owned())
}

fn located(error: &Error, name: &str, source: &str, compiled: &Compiled) -> Mistake {
    let place = match error.range() {
        Some(range) if name == HTML => Some(compiled.place_in_html(range.start)),
        Some(range) => Some(place::of(source, range.start)),
        None => None,
    };
    Mistake {
        detail: format!("{name}: {}", what(error)),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

/// What is put into a header: nothing that came with a name can begin a new one.
fn one_line(said: &str) -> String {
    let spaced: String = said
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(channel: Channel, message: &Message) -> Result<(), Mistake> {
    let subject = message.subject.as_deref().unwrap_or_default();
    let chars = |name: &str, said: &str, max: usize| match said.chars().count() {
        count if count > max => Err(nowhere(format!(
            "{name} has {count} characters, more than {max}"
        ))),
        _ => Ok(()),
    };
    match channel {
        Channel::Email if subject.len() > SUBJECT_BYTES_MAX => {
            let what = format!("subject has more than {SUBJECT_BYTES_MAX} bytes");
            Err(nowhere(what))
        }
        Channel::Email => Ok(()),
        Channel::Sms => chars("text", &message.text, SMS_CHARS_MAX),
        Channel::Push => {
            chars("subject", subject, PUSH_TITLE_CHARS_MAX)?;
            chars("text", &message.text, PUSH_TEXT_CHARS_MAX)
        }
    }
}

/// Takes no more than a part may have, so that what grows ends here.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > PART_BYTES_MAX {
            self.is_full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
