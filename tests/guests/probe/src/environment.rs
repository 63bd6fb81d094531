//! `environment`, and nothing of the host's own.

use std::env;

use crate::{Seen, compare, done};

pub fn case() -> Seen {
    compare(env::var("SIZE"), "Ok(\"large and {{ unexpanded }}\")")?;
    compare(env::var("PATH").is_err(), "true")?;
    compare(env::vars().count(), "1")?;
    compare(env::args().count(), "0")?;
    done()
}
