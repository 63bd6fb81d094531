//! The table in docs/spin-compatibility.md, part "Manifest", row by row: nothing in it is a hope.

use std::path::Path;

use praxis_host::manifest::{Fault, Reading};

const DOCUMENT: &str = include_str!("../../../docs/spin-compatibility.md");

/// What the rows are written into, and what each table has where no row says otherwise. One line
/// each, so that nothing else moves.
const TABLES: [(&str, &[&str]); 10] = [
    ("", &["spin_manifest_version = 2"]),
    ("[application]", &["name = \"app\""]),
    ("[application.trigger.http]", &[]),
    (
        "[application.trigger.redis]",
        &["address = \"redis://host\""],
    ),
    ("[variables.name]", &["default = \"x\""]),
    ("[component.other]", &["source = \"other.wasm\""]),
    ("[component.a]", &["source = \"a.wasm\""]),
    ("[[trigger.http]]", &["route = \"/\"", "component = \"a\""]),
    (
        "[[trigger.redis]]",
        &["channel = \"c\"", "component = \"a\""],
    ),
    ("[component.other.build]", &["command = \"make\""]),
];

struct Row<'a> {
    table: &'a str,
    line: &'a str,
    verdict: &'a str,
    /// What is said of it: for what is refused, the fault.
    says: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let part = DOCUMENT.split("\n## Manifest").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [table, line, verdict, says] = cells[..] else {
            panic!("{line} has not four cells");
        };
        Row {
            table: table.trim_matches('`').trim_start_matches("top"),
            line: line
                .trim_start_matches("`` ")
                .trim_end_matches(" ``")
                .trim_matches('`'),
            verdict,
            says,
        }
    });
    rows.collect()
}

/// The manifest, with a row's line in its table.
fn manifest(row: Option<&Row<'_>>) -> String {
    let mut text = String::new();
    let mut is_placed = row.is_none();
    let key = |line: &str| {
        line.split(['=', '.', ' '])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    for (table, defaults) in TABLES {
        text.push_str(table);
        text.push('\n');
        let row = row.filter(|row| row.table == table);
        for default in defaults {
            let is_replaced = row.is_some_and(|row| {
                // A variable that is required has no default.
                key(row.line) == key(default) || row.line == "required = true"
            });
            text.push_str(if is_replaced { "" } else { default });
            text.push('\n');
        }
        if let Some(row) = row {
            is_placed = true;
            text.push_str(row.line);
        }
        text.push('\n');
    }
    assert!(is_placed, "no table {:?}", row.map(|row| row.table));
    text
}

fn read(text: &str) -> Reading {
    Reading::of_bytes(Path::new("spin.toml"), text.as_bytes())
}

#[test]
fn the_manifest_without_any_row_is_good() {
    assert_eq!(read(&manifest(None)).faults, []);
}

#[test]
fn every_row_is_true() {
    let plain = format!("{:?}", read(&manifest(None)).manifest);
    let rows = rows();
    assert!(rows.len() > 50, "only {} rows were found", rows.len());
    for row in rows {
        let at = format!("{} {}", row.table, row.line);
        let reading = read(&manifest(Some(&row)));
        let faults: Vec<_> = reading.faults.iter().map(Fault::to_string).collect();
        let read = format!("{:?}", reading.manifest);
        match row.verdict {
            "works" => {
                assert_eq!(faults, [""; 0], "{at}");
                assert_ne!(read, plain, "{at} changes nothing");
            }
            "the default" | "ignored" => {
                assert_eq!(faults, [""; 0], "{at}");
                assert_eq!(read, plain, "{at} changes something");
            }
            "refused" => {
                let says = row.says.trim_matches('`');
                assert_eq!(faults.len(), 1, "{at}: {faults:#?}");
                assert!(
                    faults[0].ends_with(says),
                    "{at}: {}\nis not\n{says}",
                    faults[0]
                );
            }
            other => panic!("{at}: what is {other:?}?"),
        }
    }
}

/// What Spin knows is in the table: the keys of its manifest schema, by table.
#[test]
fn no_key_of_spin_is_left_out() {
    let rows = rows();
    for (table, keys) in [
        ("", "spin_manifest_version"),
        (
            "[application]",
            "name version description authors targets tool",
        ),
        ("[application.trigger.http]", "base"),
        ("[application.trigger.redis]", "address"),
        ("[variables.name]", "default required secret description"),
        (
            "[[trigger.http]]",
            "id route component executor static_response components dependencies",
        ),
        ("[[trigger.redis]]", "id channel component address"),
        (
            "[component.a]",
            "source description variables environment files exclude_files allowed_http_hosts \
             allowed_outbound_hosts key_value_stores sqlite_databases ai_models targets build \
             tool dependencies_inherit_configuration dependencies profile",
        ),
        ("[component.other.build]", "command workdir watch"),
    ] {
        for key in keys.split_whitespace() {
            let is_there = rows
                .iter()
                .any(|row| row.table == table && row.line.starts_with(key));
            assert!(is_there, "{table} {key}");
        }
    }
}

/// Each row of the part "Interfaces" names tests, and all of them are there.
#[test]
fn every_interface_is_tried() {
    let tests = sources(Path::new(env!("CARGO_MANIFEST_DIR")));
    let part = DOCUMENT.split("\n## Interfaces").nth(1).unwrap();
    let rows = part.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<_> = rows.filter(|line| *line != "| | | test |").collect();
    assert!(rows.len() > 50, "only {} rows were found", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, named] = cells[..] else {
            panic!("{row} has not three cells");
        };
        let is_named = named.contains('`') || named.starts_with("the same");
        assert!(is_named || named == "every test in a guest", "{row}");
        for name in named.split('`').skip(1).step_by(2) {
            let is_a_test = name.matches('_').count() > 1;
            let is_there = tests.contains(&format!("fn {name}("));
            assert!(!is_a_test || is_there, "there is no test {name}");
        }
    }
}

/// All that is written in Rust in a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    text
}
