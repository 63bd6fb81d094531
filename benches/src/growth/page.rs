//! The table on its page.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::{Grown, Kind, Mixed, shares};

/// The table stands between these lines.
const BEGIN: &str = "<!-- growth -->";
const END: &str = "<!-- /growth -->";

/// As Markdown, a column a directory.
pub fn table(grown: &[Grown]) -> String {
    let mut table = String::from("| practitioners |");
    for one in grown {
        _ = write!(table, " {} |", thousands(one.practitioners));
    }
    table.push_str("\n|---|");
    table.push_str(&"---:|".repeat(grown.len()));
    table.push('\n');
    let mut row = |name: &str, cell: &dyn Fn(&Grown) -> String| {
        _ = write!(table, "| {name} |");
        for one in grown {
            _ = write!(table, " {} |", cell(one));
        }
        table.push('\n');
    };
    row("imported after, s", &|one| {
        format!("{:.0}", one.import_seconds)
    });
    row("all to be found after, s", &|one| {
        format!("{:.0}", one.level_seconds)
    });
    row("search alone, one client: p50 / p99, ms", &|one| {
        format!("{:.1} / {:.1}", one.alone.p50, one.alone.p99)
    });
    for share in shares(grown) {
        let mut under = |what: &str, cell: &dyn Fn(&Mixed) -> String| {
            row(&format!("{share} of the peak, {what}"), &|one| {
                one.under(share).map_or_else(String::new, cell)
            });
        };
        under("rounds, and how long each, s", &|mixed| {
            format!("{} × {}", mixed.rounds, mixed.seconds)
        });
        let first = grown.iter().find_map(|one| one.under(share));
        for Kind {
            name, goal_p99_ms, ..
        } in first.into_iter().flat_map(|mixed| &mixed.kinds)
        {
            let goal =
                goal_p99_ms.map_or_else(String::new, |goal| format!(" (goal: p99 < {goal})"));
            under(&format!("{name}: p50 / p99, ms{goal}"), &|mixed| {
                mixed.kind(name).map_or_else(String::new, |kind| {
                    format!("{:.1} / {:.1}", kind.p50_ms, kind.p99_ms)
                })
            });
        }
        under("failed", &failed);
        under("nothing left to do after, s", &|mixed| {
            format!("{:.1}", mixed.level_seconds)
        });
    }
    row("memory of the host before and after, MiB", &|one| {
        format!("{} / {}", one.resident_before_mib, one.resident_mib)
    });
    row("the audit after that", &|one| {
        one.audit.as_ref().map_or_else(String::new, |audit| {
            format!("{} ({:.0} s)", audit.found, audit.seconds)
        })
    });
    table
}

fn failed(mixed: &Mixed) -> String {
    let failures = mixed.kinds.iter().flat_map(|kind| kind.failures.values());
    failures.sum::<u64>().to_string()
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Puts the table in the place of the one that is there.
pub fn write(path: &Path, table: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("could not read {}", path.display()))?;
    let nowhere = || format!("{} has no {BEGIN} before {END}", path.display());
    let (before, rest) = text.split_once(BEGIN).with_context(nowhere)?;
    let (_, after) = rest.split_once(END).with_context(nowhere)?;
    let text = format!("{before}{BEGIN}\n{table}{END}{after}");
    std::fs::write(path, text).with_context(|| format!("could not write {}", path.display()))
}
