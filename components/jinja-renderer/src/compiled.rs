//! What `compile` hands to `render`.

use serde::{Deserialize, Serialize};

use crate::bindings::praxis::template::types::{Channel, Mistake};
use crate::place::{self, nowhere};

/// Another one is refused: it was made by another renderer.
pub const FORMAT: u32 = 1;

/// An offset, and the line and the column of what begins there.
pub type Origin = (usize, u32, u32);

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Compiled {
    pub format: u32,
    pub channel: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// Where the author wrote what stands in `html`, if it was made of MJML.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Origin>,
}

impl Compiled {
    pub fn parse(text: &str, channel: Channel) -> Result<Self, Mistake> {
        let compiled: Self = serde_json::from_str(text)
            .map_err(|error| nowhere(format!("this was not made by compile: {error}")))?;
        if compiled.format != FORMAT {
            let what = format!("it was compiled for another renderer ({})", compiled.format);
            return Err(nowhere(what));
        }
        if compiled.channel != name(channel) {
            let what = format!(
                "it is a template for {}, not for {}",
                compiled.channel,
                name(channel)
            );
            return Err(nowhere(what));
        }
        Ok(compiled)
    }

    /// The line and column of the author's text, of an offset in `html`.
    pub fn place_in_html(&self, offset: usize) -> (u32, u32) {
        let known = self.places.iter().rev();
        let mut known = known.skip_while(|(at, ..)| *at > offset);
        match known.next() {
            Some((_, line, column)) => (*line, *column),
            None => place::of(self.html.as_deref().unwrap_or_default(), offset),
        }
    }
}

pub fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "email",
        Channel::Sms => "sms",
        Channel::Push => "push",
    }
}
