//! How texts are read: the same when they are compiled and when they are rendered.

use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};

use crate::limits::{INSTRUCTIONS_MAX, RECURSION_MAX};

/// The name of the one part that is escaped.
pub const HTML: &str = "html";
/// The only name that is known from the beginning.
pub const VIEW: &str = "view";

pub fn environment<'source>() -> Environment<'source> {
    let mut environment = Environment::new();
    environment.set_debug(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_fuel(Some(INSTRUCTIONS_MAX));
    environment.set_auto_escape_callback(|name| match name {
        HTML => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    // It would say all that it knows.
    environment.remove_global("debug");
    environment
}

/// What is wrong, in minijinja's words, without where.
pub fn what(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            format!("it takes too long: more than {INSTRUCTIONS_MAX} instructions")
        }
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    }
}

pub fn has_filter(environment: &Environment<'_>, name: &str) -> bool {
    let tried = environment
        .empty_state()
        .apply_filter(name, &[Value::from("")]);
    !matches!(tried, Err(error) if error.kind() == ErrorKind::UnknownFilter)
}

pub fn has_test(environment: &Environment<'_>, name: &str) -> bool {
    let tried = environment
        .empty_state()
        .perform_test(name, &[Value::from("")]);
    !matches!(tried, Err(error) if error.kind() == ErrorKind::UnknownTest)
}
