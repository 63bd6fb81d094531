//! MJML to HTML, once. Jinja inside is put away while that is done, and put back where it ends up.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use htmlparser::{ElementEnd, Token, Tokenizer};
use mrml::prelude::parser::{Error, ParserOptions};
use mrml::prelude::render::RenderOptions;

use crate::bindings::praxis::template::types::Mistake;
use crate::limits::{ELEMENTS_DEEP_MAX, PART_BYTES_MAX};
use crate::place::mistake;
use crate::source::{Kind, Piece};

/// Elements whose children are elements: what Jinja decides between them stands in `mj-raw`, which
/// changes no width.
const CONTAINERS: [&str; 7] = [
    "mj-head",
    "mj-body",
    "mj-wrapper",
    "mj-section",
    "mj-group",
    "mj-column",
    "mj-hero",
];

/// Elements of HTML that nothing closes.
const VOID: [&str; 8] = ["br", "hr", "img", "input", "link", "meta", "col", "wbr"];

pub struct LaidOut {
    pub html: String,
    /// Where something of Jinja begins, and where its author wrote it, in bytes.
    pub origins: Vec<(usize, usize)>,
}

/// The HTML of a body, which is a part of the text.
pub fn lay_out(text: &str, pieces: &[Piece<'_>], body: &Range<usize>) -> Result<LaidOut, Mistake> {
    let hidden = Hidden::new(text, pieces, body);
    let hidden = hidden.wrapped(text)?;
    let at = |offset: usize| hidden.origin(offset);
    let fail = |error: &Error| {
        let offset = position(error).map_or(body.start, at);
        mistake(text, offset, said(error))
    };
    let parsed = mrml::parse_with_options(&hidden.text, &ParserOptions::default());
    let parsed = parsed.map_err(|error| fail(&error))?;
    let options = RenderOptions {
        // Mail that loads a font tells somebody else that it was read.
        fonts: HashMap::new(),
        ..RenderOptions::default()
    };
    let html = parsed.element.render(&options).map_err(|error| {
        mistake(
            text,
            body.start,
            format!("the layout cannot be made: {error}"),
        )
    })?;
    let laid_out = hidden.restore(text, &html);
    if laid_out.html.len() > PART_BYTES_MAX {
        let what = format!("the layout makes more than {PART_BYTES_MAX} bytes of HTML");
        return Err(mistake(text, body.start, what));
    }
    Ok(laid_out)
}

/// MJML with marks for what is Jinja.
struct Hidden<'p> {
    text: String,
    /// Begins each mark, and is nowhere else in the text.
    mark: String,
    away: Vec<&'p Piece<'p>>,
    /// Where in the author's text something comes from: an offset here, and one there.
    origins: Vec<(usize, usize)>,
}

impl<'p> Hidden<'p> {
    fn new(text: &str, pieces: &'p [Piece<'p>], body: &Range<usize>) -> Self {
        let mut mark = String::from("jinja");
        while text.contains(&mark) {
            mark.push('q');
        }
        let mut hidden = Self {
            text: String::new(),
            mark,
            away: Vec::new(),
            origins: Vec::new(),
        };
        let inside = |piece: &&Piece<'_>| body.start <= piece.at.start && piece.at.end <= body.end;
        for piece in pieces.iter().filter(inside) {
            hidden.origins.push((hidden.text.len(), piece.at.start));
            if piece.kind == Kind::Text {
                hidden.text.push_str(&text[piece.at.clone()]);
            } else {
                let number = hidden.away.len();
                // Writing to text cannot fail.
                let _ = write!(hidden.text, "{}{number}x", hidden.mark);
                hidden.away.push(piece);
            }
        }
        hidden
    }

    /// The same, with an `mj-raw` around each mark that stands between elements.
    fn wrapped(mut self, text: &str) -> Result<Self, Mistake> {
        let mut places = Vec::new();
        let mut open: Vec<(&str, usize)> = Vec::new();
        for token in Tokenizer::from(self.text.as_str()) {
            let token = token.map_err(|error| {
                let end = self.text.len().saturating_sub(1);
                mistake(text, self.origin(end), format!("this is not MJML: {error}"))
            })?;
            match token {
                Token::ElementStart { local, span, .. } => {
                    open.push((local.as_str(), span.start()));
                    if open.len() > ELEMENTS_DEEP_MAX {
                        let what = format!("MJML: more than {ELEMENTS_DEEP_MAX} elements are open");
                        return Err(mistake(text, self.origin(span.start()), what));
                    }
                }
                Token::ElementEnd { end, span } => match end {
                    ElementEnd::Open => {
                        open.pop_if(|(name, _)| VOID.contains(name));
                    }
                    ElementEnd::Empty => {
                        open.pop();
                    }
                    ElementEnd::Close(_, local) => {
                        let wrong = close(&mut open, local.as_str());
                        if let Err(what) = wrong {
                            return Err(mistake(text, self.origin(span.start()), what));
                        }
                    }
                },
                Token::Text { text } => {
                    let around = open.last().map_or("", |(name, _)| *name);
                    if CONTAINERS.contains(&around) {
                        let found = self.marks(text.as_str());
                        let moved = |range: Range<usize>| {
                            range.start + text.start()..range.end + text.start()
                        };
                        places.extend(found.into_iter().map(|(range, _)| moved(range)));
                    }
                }
                _ => {}
            }
        }
        if let Some((name, at)) = open.iter().rfind(|(name, _)| is_of_mjml(name)) {
            let what = format!("MJML: {name} is not closed");
            return Err(mistake(text, self.origin(*at), what));
        }
        let mut wrapped = String::with_capacity(self.text.len());
        let mut origins = Vec::with_capacity(self.origins.len());
        let mut old = self.origins.iter().peekable();
        let mut at = 0;
        for place in places.iter().chain([&(self.text.len()..self.text.len())]) {
            while let Some((from, origin)) = old.next_if(|(from, _)| *from < place.start) {
                origins.push((wrapped.len() + from - at, *origin));
            }
            wrapped.push_str(&self.text[at..place.start]);
            if !place.is_empty() {
                if let Some((_, origin)) = old.next_if(|(from, _)| *from == place.start) {
                    origins.push((wrapped.len(), *origin));
                }
                wrapped.push_str("<mj-raw>");
                wrapped.push_str(&self.text[place.clone()]);
                wrapped.push_str("</mj-raw>");
            }
            at = place.end;
        }
        self.text = wrapped;
        self.origins = origins;
        Ok(self)
    }

    /// The marks in a part of the text, and which piece each stands for.
    fn marks(&self, text: &str) -> Vec<(Range<usize>, usize)> {
        let mut found = Vec::new();
        for (start, mark) in text.match_indices(&self.mark) {
            let rest = &text[start + mark.len()..];
            let Some((number, _)) = rest.split_once('x') else {
                continue;
            };
            if let Ok(piece) = number.parse::<usize>()
                && piece < self.away.len()
            {
                found.push((start..start + mark.len() + number.len() + 1, piece));
            }
        }
        found
    }

    /// Where the author wrote what stands here.
    fn origin(&self, offset: usize) -> usize {
        let known = self.origins.iter().rev();
        let mut known = known.skip_while(|(at, _)| *at > offset);
        known
            .next()
            .map_or(0, |(at, origin)| origin + (offset - at))
    }

    fn restore(&self, text: &str, html: &str) -> LaidOut {
        let mut laid_out = LaidOut {
            html: String::with_capacity(html.len()),
            origins: Vec::new(),
        };
        let mut at = 0;
        for (range, piece) in self.marks(html) {
            laid_out.html.push_str(&html[at..range.start]);
            let piece = self.away[piece];
            laid_out.origins.push((laid_out.html.len(), piece.at.start));
            laid_out.html.push_str(&text[piece.at.clone()]);
            at = range.end;
        }
        laid_out.html.push_str(&html[at..]);
        laid_out
    }
}

/// Closes an element. HTML may leave some of its own open; MJML closes each.
fn close(open: &mut Vec<(&str, usize)>, name: &str) -> Result<(), String> {
    let at = open.iter().rposition(|(other, _)| *other == name);
    let inside = at.map_or(open.as_slice(), |at| &open[at + 1..]);
    if let Some((other, _)) = inside.iter().rfind(|(other, _)| is_of_mjml(other))
        && (at.is_some() || is_of_mjml(name))
    {
        return Err(format!("MJML: {name} ends here, but {other} is not closed"));
    }
    match at {
        Some(at) => open.truncate(at),
        None if is_of_mjml(name) => return Err(format!("MJML: no {name} is open here")),
        None => {}
    }
    Ok(())
}

fn is_of_mjml(name: &str) -> bool {
    name.starts_with("mj")
}

fn position(error: &Error) -> Option<usize> {
    match error {
        Error::UnexpectedElement { position, .. }
        | Error::UnexpectedToken { position, .. }
        | Error::MissingAttribute { position, .. }
        | Error::InvalidAttribute { position, .. }
        | Error::InvalidFormat { position, .. }
        | Error::IncludeLoaderError { position, .. } => Some(position.start),
        Error::EndOfStream { .. }
        | Error::SizeLimit { .. }
        | Error::ParserError { .. }
        | Error::NoRootNode => None,
    }
}

fn said(error: &Error) -> String {
    let what = match error {
        Error::UnexpectedElement { .. } => "this element may not stand here".to_owned(),
        Error::UnexpectedToken { .. } => "this may not stand here".to_owned(),
        Error::MissingAttribute { name, .. } => format!("the attribute {name} is missing"),
        Error::InvalidAttribute { .. } => "this attribute cannot be read".to_owned(),
        Error::InvalidFormat { .. } => "this cannot be read".to_owned(),
        Error::IncludeLoaderError { .. } => {
            "mj-include: a template is one text, there are no others to take from".to_owned()
        }
        Error::EndOfStream { .. } => "an element is not closed".to_owned(),
        Error::SizeLimit { .. } => "it is too long".to_owned(),
        Error::ParserError { source, .. } => source.to_string(),
        Error::NoRootNode => "there is no mjml element".to_owned(),
    };
    format!("MJML: {what}")
}
