//! `spin:variables@3.0.0`.

use spin_sdk::variables;

use crate::{Seen, compare, done};

pub async fn case() -> Seen {
    compare(variables::get("greeting").await?, "\"hello world\"")?;
    let undefined = variables::get("nobody").await.err();
    compare(undefined, "Some(Error::Undefined(\"nobody\"))")?;
    // A variable of the application that this component was not given.
    let foreign = variables::get("name").await.err();
    compare(foreign, "Some(Error::Undefined(\"name\"))")?;
    for name in ["No-Name", "", "a__b", "a_", "_a", "1a"] {
        let invalid = variables::get(name).await.err();
        let expected = format!("Some(Error::InvalidName({name:?}))");
        compare(invalid, &expected)?;
    }
    done()
}
