//! `allowed_outbound_hosts`, and what came before it.

use super::application::check_template;
use super::document::Table;
use super::grant::Grant;

/// The entries, of which those that hold no template are understood.
pub(super) fn read(table: &mut Table<'_, '_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for item in table.list("allowed_outbound_hosts") {
        let Some(entry) = item.text() else {
            continue;
        };
        check_template(&item, &entry);
        if !entry.contains("{{")
            && let Err(why) = check(&entry)
        {
            let what = format!("{entry:?} grants nothing: {why}");
            item.report.fault(&item.span, what);
        }
        hosts.push(entry);
    }
    let Some(item) = table.item("allowed_http_hosts") else {
        return hosts;
    };
    let mut converted = Vec::new();
    for entry in item.list().unwrap_or_default() {
        let Some(text) = entry.text() else {
            continue;
        };
        match of_http(&text) {
            Ok(entries) => converted.extend(entries),
            Err(why) => {
                let what = format!("{text:?} grants nothing: {why}");
                item.report.fault(&entry.span, what);
            }
        }
    }
    let what =
        format!("allowed_http_hosts is out of use; write allowed_outbound_hosts = {converted:?}");
    item.report.warning(&item.span, what);
    hosts.extend(converted);
    hosts
}

/// What is written out is a grant and no more: a path or a password in it says something else
/// than was meant.
fn check(entry: &str) -> Result<(), String> {
    if entry == ALLOW_ALL {
        return Err("\"*://*:*\" grants everything".into());
    }
    let Some((scheme, rest)) = entry.split_once("://") else {
        let example = if entry.contains(['*', ' ']) || entry.is_empty() {
            "https://example.com"
        } else {
            &format!("https://{entry}")
        };
        return Err(format!(
            "it is not of the form scheme://host[:port]; did you mean {example:?}?"
        ));
    };
    Grant::parse(entry).map_err(|why| format!("{why:#}"))?;
    if rest.contains('@') {
        return Err("it holds a user; write the host and the port alone".into());
    }
    match rest.split_once('/') {
        None | Some((_, "")) => Ok(()),
        Some((network, prefix))
            if prefix
                .split(':')
                .next()
                .is_some_and(|bits| bits.bytes().all(|c| c.is_ascii_digit()))
                && network
                    .trim_matches(['[', ']'])
                    .parse::<std::net::IpAddr>()
                    .is_ok() =>
        {
            Ok(())
        }
        Some((host, _)) => Err(format!(
            "a path cannot be granted; did you mean \"{scheme}://{host}\"?"
        )),
    }
}

const ALLOW_ALL: &str = "insecure:allow-all";

/// What an entry of `allowed_http_hosts` stands for, as Spin has it.
fn of_http(entry: &str) -> Result<Vec<String>, String> {
    if entry == ALLOW_ALL {
        return Ok(["http://*:*", "https://*:*", "http://self"]
            .map(str::to_owned)
            .to_vec());
    }
    let bare = entry
        .strip_prefix("http://")
        .or_else(|| entry.strip_prefix("https://"))
        .unwrap_or(entry);
    let bare = bare.strip_suffix('/').unwrap_or(bare);
    if bare == "self" {
        return Ok(vec!["http://self".into()]);
    }
    let entries = [format!("http://{bare}"), format!("https://{bare}")];
    for entry in &entries {
        check(entry)?;
    }
    Ok(entries.to_vec())
}
