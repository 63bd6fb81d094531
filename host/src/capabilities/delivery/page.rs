//! What was caught, as a page for people and as JSON for tests.

use std::sync::{Arc, LazyLock};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};

use super::catcher::Caught;

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    // Whatever their names: mails come from outside, and everything in them is escaped.
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in [
        ("frame", include_str!("page/frame.html")),
        ("list", include_str!("page/list.html")),
        ("mail", include_str!("page/mail.html")),
    ] {
        pages
            .add_template(name, source)
            .expect("the built-in templates are tested");
    }
    pages
});

/// All that was caught, as given.
pub fn list(mails: &[Arc<Caught>]) -> String {
    let mails: Vec<&Caught> = mails.iter().map(AsRef::as_ref).collect();
    page(
        "Caught mail",
        "list",
        context! { mails => Value::from(Serde(mails)) },
    )
}

/// One of them. Its HTML is shown in a frame that may do nothing.
pub fn mail(mail: &Caught) -> String {
    let title = mail.subject.as_ref().unwrap_or(&mail.channel);
    page(title, "mail", context! { mail => Value::from(Serde(mail)) })
}

/// All that was caught, as a JSON list.
pub fn json(mails: &[Arc<Caught>]) -> String {
    let mails: Vec<&Caught> = mails.iter().map(AsRef::as_ref).collect();
    serde_json::to_string_pretty(&mails).expect("what was caught is plain data")
}

fn page(title: &str, name: &str, context: Value) -> String {
    let content = Value::from_safe_string(render(name, context));
    render("frame", context! { title, content })
}

fn render(name: &str, context: Value) -> String {
    let template = PAGES
        .get_template(name)
        .expect("the name is one of the built-in ones");
    template
        .render(context)
        .expect("the built-in templates render whatever was caught")
}
