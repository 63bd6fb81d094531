//! `files`: read-only, and nothing beside them.

use std::fs;

use crate::{Seen, compare, done, until_no_more};

pub fn case(case: &str) -> Seen {
    match case {
        "" => shown(),
        "many" => Ok(until_no_more(|| {
            fs::File::open("/data/a.txt").map_err(|error| error.to_string())
        })),
        _ => Err(format!("no case {case}").into()),
    }
}

fn shown() -> Seen {
    compare(fs::read_to_string("/data/a.txt")?, "\"a\"")?;
    compare(fs::read_to_string("data/deep/b.txt")?, "\"b\"")?;
    compare(fs::read_to_string("/elsewhere/b.txt")?, "\"b\"")?;
    compare(fs::exists("/data/left-out.txt")?, "false")?;
    compare(fs::exists("/spin.toml")?, "false")?;
    let mut names: Vec<_> = fs::read_dir("/")?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort();
    compare(names, "[\"data\", \"elsewhere\"]")?;
    for (what, outcome) in [
        ("write", fs::write("/data/a.txt", "x")),
        ("create", fs::write("/new.txt", "x")),
        ("remove", fs::remove_file("/data/a.txt")),
        ("rename", fs::rename("/data/a.txt", "/data/c.txt")),
        ("make a folder", fs::create_dir("/data/new")),
        ("leave", fs::read("/../../../../etc/passwd").map(drop)),
        ("leave", fs::read("/data/../../etc/passwd").map(drop)),
    ] {
        if outcome.is_ok() {
            return Err(format!("could {what}").into());
        }
    }
    done()
}
