//! The templates: `templates/<event>.<audience>.<channel>.jinja`, in English.
//!
//! The file of a mail or a push begins with its subject or title and an empty line; the HTML of a
//! mail has a file of its own and a layout around it. A template that names what is not there
//! fails: better no mail than half of one.

use std::cell::RefCell;

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use praxis_domain::notice::View;

pub struct Mail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

pub struct Note {
    pub title: String,
    pub text: String,
}

/// A mistake in a template.
#[derive(Debug)]
pub struct Error {
    template: String,
    cause: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "could not render {}: {}", self.template, self.cause)
    }
}

/// `template` is a notice's: `booking-created.patient.email`.
pub fn email(template: &str, view: &View) -> Result<Mail, Error> {
    let note = push(template, view)?;
    let name = format!("{template}.html.jinja");
    let body = Value::from_safe_string(render(&name, context! { view => Serde(view) })?);
    let html = render(
        "layout.html.jinja",
        context! { subject => note.title.as_str(), body },
    )?;
    Ok(Mail {
        subject: note.title,
        text: note.text,
        html,
    })
}

pub fn sms(template: &str, view: &View) -> Result<String, Error> {
    let text = render(
        &format!("{template}.jinja"),
        context! { view => Serde(view) },
    )?;
    Ok(text.trim().to_owned())
}

pub fn push(template: &str, view: &View) -> Result<Note, Error> {
    let whole = render(
        &format!("{template}.jinja"),
        context! { view => Serde(view) },
    )?;
    let (title, text) = whole
        .split_once("\n\n")
        .ok_or_else(|| error(template, "it has no empty line after its first"))?;
    Ok(Note {
        title: title.trim().to_owned(),
        text: format!("{}\n", text.trim()),
    })
}

fn render(name: &str, context: Value) -> Result<String, Error> {
    let (name, source) = *TEMPLATES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| error(name, "there is no such template"))?;
    let rendered = ENVIRONMENT.with_borrow_mut(|environment| {
        if environment.get_template(name).is_err() {
            // The name decides what is escaped: `.html.jinja` is.
            environment.add_template(name, source)?;
        }
        environment.get_template(name)?.render(context)
    });
    rendered.map_err(|cause| error(name, &cause.to_string()))
}

thread_local! {
    /// With the templates that were used: an instance sends many mails, and reads each template once.
    static ENVIRONMENT: RefCell<Environment<'static>> = RefCell::new(environment());
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn error(template: &str, cause: &str) -> Error {
    Error {
        template: template.to_owned(),
        cause: cause.to_owned(),
    }
}

const TEMPLATES: [(&str, &str); 23] = [
    (
        "booking-created.patient.email.jinja",
        include_str!("../templates/booking-created.patient.email.jinja"),
    ),
    (
        "booking-created.patient.email.html.jinja",
        include_str!("../templates/booking-created.patient.email.html.jinja"),
    ),
    (
        "booking-created.patient.sms.jinja",
        include_str!("../templates/booking-created.patient.sms.jinja"),
    ),
    (
        "booking-created.patient.push.jinja",
        include_str!("../templates/booking-created.patient.push.jinja"),
    ),
    (
        "booking-created.practitioner.email.jinja",
        include_str!("../templates/booking-created.practitioner.email.jinja"),
    ),
    (
        "booking-created.practitioner.email.html.jinja",
        include_str!("../templates/booking-created.practitioner.email.html.jinja"),
    ),
    (
        "booking-cancelled.patient.email.jinja",
        include_str!("../templates/booking-cancelled.patient.email.jinja"),
    ),
    (
        "booking-cancelled.patient.email.html.jinja",
        include_str!("../templates/booking-cancelled.patient.email.html.jinja"),
    ),
    (
        "booking-cancelled.patient.sms.jinja",
        include_str!("../templates/booking-cancelled.patient.sms.jinja"),
    ),
    (
        "booking-cancelled.patient.push.jinja",
        include_str!("../templates/booking-cancelled.patient.push.jinja"),
    ),
    (
        "booking-cancelled.practitioner.email.jinja",
        include_str!("../templates/booking-cancelled.practitioner.email.jinja"),
    ),
    (
        "booking-cancelled.practitioner.email.html.jinja",
        include_str!("../templates/booking-cancelled.practitioner.email.html.jinja"),
    ),
    (
        "booking-rescheduled.patient.email.jinja",
        include_str!("../templates/booking-rescheduled.patient.email.jinja"),
    ),
    (
        "booking-rescheduled.patient.email.html.jinja",
        include_str!("../templates/booking-rescheduled.patient.email.html.jinja"),
    ),
    (
        "booking-rescheduled.patient.sms.jinja",
        include_str!("../templates/booking-rescheduled.patient.sms.jinja"),
    ),
    (
        "booking-rescheduled.patient.push.jinja",
        include_str!("../templates/booking-rescheduled.patient.push.jinja"),
    ),
    (
        "booking-rescheduled.practitioner.email.jinja",
        include_str!("../templates/booking-rescheduled.practitioner.email.jinja"),
    ),
    (
        "booking-rescheduled.practitioner.email.html.jinja",
        include_str!("../templates/booking-rescheduled.practitioner.email.html.jinja"),
    ),
    (
        "hold-offered.patient.email.jinja",
        include_str!("../templates/hold-offered.patient.email.jinja"),
    ),
    (
        "hold-offered.patient.email.html.jinja",
        include_str!("../templates/hold-offered.patient.email.html.jinja"),
    ),
    (
        "hold-offered.patient.sms.jinja",
        include_str!("../templates/hold-offered.patient.sms.jinja"),
    ),
    (
        "hold-offered.patient.push.jinja",
        include_str!("../templates/hold-offered.patient.push.jinja"),
    ),
    (
        "layout.html.jinja",
        include_str!("../templates/layout.html.jinja"),
    ),
];
