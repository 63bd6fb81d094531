//! `wasi:config@0.2.0-draft-2024-09-27`.

use spin_sdk::experimental::wasi::config::store;

use crate::{Seen, compare, done};

pub fn case() -> Seen {
    compare(store::get("greeting"), "Ok(Some(\"hello world\"))")?;
    compare(store::get("nobody"), "Ok(None)")?;
    compare(store::get("No-Name"), "Ok(None)")?;
    let all = store::get_all()?;
    let greeting = all.iter().find(|(key, _)| key == "greeting");
    compare(greeting, "Some((\"greeting\", \"hello world\"))")?;
    done()
}
