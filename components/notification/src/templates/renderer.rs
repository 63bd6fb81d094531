//! The sandbox, in our terms.

use std::cell::RefCell;
use std::collections::BTreeMap;

use praxis_domain::locale::Locale;
use praxis_domain::notice::{Audience, View};
use praxis_domain::patient::Channel;
use praxis_domain::template::{Key, Kind, builtin};
use praxis_platform::problem::Problem;
use praxis_platform::template::{self, Error, Message, Request, Template};
use serde::Serialize;
use serde_json::json;
use spin_sdk::http::StatusCode;

/// What the built-in words share the host's memory as; no tenant can have that name.
const BUILTIN_OWNER: &str = "(built-in)";

/// Something to render, of a tenant or built in.
#[derive(Clone)]
pub enum Source {
    Builtin,
    Jinja { compiled: String },
    Component { digest: String },
}

impl Source {
    /// What a version is, as it is kept.
    pub fn of(kind: Kind, compiled: Option<String>, digest: String) -> Self {
        match kind {
            Kind::Jinja => Self::Jinja {
                compiled: compiled.unwrap_or_default(),
            },
            Kind::Component => Self::Component { digest },
        }
    }
}

/// Why there is no message.
#[derive(Debug)]
pub enum Failed {
    /// Of the template; at least one.
    Mistakes(Vec<Mistake>),
    /// Of the template too: it trapped, used up what it was given, or is no renderer.
    Broken(String),
    /// Try later.
    Unavailable,
}

/// Line and column count from one, in the author's source.
#[derive(Debug, Serialize)]
pub struct Mistake {
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// What a template is given: JSON, and the locale that it is written for.
pub struct Input {
    pub locale: String,
    pub json: String,
}

impl Input {
    pub fn of(view: &View) -> Self {
        Self {
            locale: view.locale.to_string(),
            json: serde_json::to_string(view).expect("a view is a map with text keys"),
        }
    }
}

/// One message. `key` is what the source is a template of.
pub async fn render(
    owner: &str,
    key: &Key,
    source: &Source,
    input: &Input,
) -> Result<Message, Failed> {
    let (owner, template) = match source {
        Source::Builtin => (BUILTIN_OWNER, Template::Text(compiled_builtin(key).await?)),
        Source::Jinja { compiled } => (owner, Template::Text(compiled.clone())),
        Source::Component { digest } => (owner, Template::Component(digest.clone())),
    };
    let request = Request {
        event: key.occasion.name().to_owned(),
        audience: match key.audience {
            Audience::Patient => template::Audience::Patient,
            Audience::Practitioner => template::Audience::Practitioner,
        },
        channel: channel(key.channel),
        locale: input.locale.clone(),
        view: input.json.clone(),
    };
    let message = template::render(owner.to_owned(), template, request).await?;
    match (key.channel, &message.subject) {
        (Channel::Email | Channel::Push, None) => {
            Err(Failed::Broken("the message has no subject".to_owned()))
        }
        (Channel::Email | Channel::Push, Some(_)) | (Channel::Sms, _) => Ok(message),
    }
}

/// What a text is rendered from, for good.
pub async fn compile(of: Channel, source: String) -> Result<String, Failed> {
    Ok(template::compile(channel(of), source).await?)
}

/// A component's digest, once every host can find it.
pub async fn keep(owner: &str, component: Vec<u8>) -> Result<String, Failed> {
    Ok(template::keep(owner.to_owned(), component).await?)
}

thread_local! {
    /// By language and what they are for: there are not a hundred. An instance that is used again
    /// compiles none twice.
    static BUILTINS: RefCell<BTreeMap<String, String>> = const { RefCell::new(BTreeMap::new()) };
}

async fn compiled_builtin(key: &Key) -> Result<String, Failed> {
    let Key {
        occasion,
        audience,
        channel,
        ..
    } = key;
    let language: Locale = builtin::locale_for(&key.locale);
    let name = format!(
        "{}.{}.{}.{language}",
        occasion.name(),
        audience.name(),
        channel.name()
    );
    if let Some(known) = BUILTINS.with_borrow(|known| known.get(&name).cloned()) {
        return Ok(known);
    }
    let compiled = compile(*channel, builtin::source(key)).await?;
    BUILTINS.with_borrow_mut(|known| known.insert(name, compiled.clone()));
    Ok(compiled)
}

fn channel(channel: Channel) -> template::Channel {
    match channel {
        Channel::Email => template::Channel::Email,
        Channel::Sms => template::Channel::Sms,
        Channel::Push => template::Channel::Push,
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Mistakes(mistakes) => Self::Mistakes(
                mistakes
                    .into_iter()
                    .map(|mistake| Mistake {
                        detail: mistake.detail,
                        line: mistake.line,
                        column: mistake.column,
                    })
                    .collect(),
            ),
            Error::Broken(why) | Error::Refused(why) => Self::Broken(why),
            Error::Unknown => Self::Broken("its component is not kept here".to_owned()),
            Error::Unavailable => Self::Unavailable,
        }
    }
}

impl Failed {
    /// For an author, who can mend it.
    pub fn mistakes(self) -> Result<Vec<Mistake>, Problem> {
        match self {
            Self::Mistakes(mistakes) => Ok(mistakes),
            Self::Broken(detail) => Ok(vec![Mistake {
                detail,
                line: None,
                column: None,
            }]),
            Self::Unavailable => Err(Problem::unavailable("the renderer can't be reached now")),
        }
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed.mistakes() {
            Ok(mistakes) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "/problems/template-mistakes",
                "The template has mistakes",
                mistakes
                    .first()
                    .map_or_else(String::new, |first| first.to_string()),
            )
            .with("errors", json!(mistakes)),
            Err(unavailable) => unavailable,
        }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)?;
        if let Some(line) = self.line {
            write!(f, " in line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mistakes(mistakes) => {
                let mistakes: Vec<_> = mistakes.iter().map(Mistake::to_string).collect();
                f.write_str(&mistakes.join("; "))
            }
            Self::Broken(why) => f.write_str(why),
            Self::Unavailable => f.write_str("the renderer is unavailable"),
        }
    }
}
