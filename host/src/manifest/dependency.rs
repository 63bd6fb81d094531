//! `[component.*.dependencies]`: interfaces that other components provide, inside one.

use std::path::PathBuf;

use super::document::{Entry, Kind, Table};
use super::name;

/// Imports of a component that another one satisfies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Which imports: `name`, `namespace:package`, `namespace:package/interface`, the last two
    /// with `@version` or without.
    pub name: String,
    pub source: DependencySource,
    /// Which export satisfies them, where it has another name than the import.
    pub export: Option<String>,
    /// Whether it may do all that the component may whose imports it satisfies. Otherwise it may
    /// compute, and reaches nothing.
    pub inherits: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencySource {
    Path(PathBuf),
    /// A component of the manifest: its file, none of its grants.
    Component(String),
}

const NOTHING_IS_DOWNLOADED: &str =
    "nothing is downloaded; fetch the file and write { path = \"…\" }";

impl Dependency {
    pub(super) fn read_all(table: &mut Table<'_, '_>, inherit: bool) -> Vec<Self> {
        let entries = table.entries_of("dependencies").into_iter();
        entries
            .filter_map(|entry| Self::read(&entry, inherit))
            .collect()
    }

    fn read(entry: &Entry<'_, '_>, inherit: bool) -> Option<Self> {
        let report = entry.item.report;
        let name = &entry.key;
        if let Err(why) = check_name(name) {
            let what = format!("{name:?} names no import: {why}");
            report.fault(&entry.key_span, what);
        }
        if entry.item.is_text() {
            let what = format!("the dependency {name:?}: {NOTHING_IS_DOWNLOADED}");
            report.fault(&entry.item.span, what);
            return None;
        }
        let mut table = entry.item.table_named(format!("the dependency {name:?}"))?;
        let is_remote = ["version", "registry", "package", "url", "digest"]
            .into_iter()
            .filter(|key| table.optional_text(key).is_some())
            .count()
            > 0;
        let export = table.optional_text("export");
        let inherits = inherits(&mut table).unwrap_or(inherit);
        let path = table.optional_text("path").map(PathBuf::from);
        let component = table.item("component").and_then(|item| {
            let component = item.text()?;
            report.refer(Kind::Component, &component, &table.name, &item.span);
            Some(component)
        });
        let source = match (path, component) {
            _ if is_remote => {
                let what = format!("the dependency {name:?}: {NOTHING_IS_DOWNLOADED}");
                report.fault(&table.span, what);
                None
            }
            (Some(path), None) => Some(DependencySource::Path(path)),
            (None, Some(component)) => Some(DependencySource::Component(component)),
            (Some(_), Some(_)) | (None, None) => {
                let what = format!("{} is a path or a component; write one of them", table.name);
                report.fault(&table.span, what);
                None
            }
        };
        if export.is_some() && name.contains(':') && !name.contains('/') {
            let what = format!(
                "the dependency {name:?} is a package, which one export cannot satisfy; \
                 name an interface: \"{name}/…\""
            );
            report.fault(&table.span, what);
        }
        table.finish();
        Some(Self {
            name: name.clone(),
            source: source?,
            export,
            inherits,
        })
    }

    /// Whether the dependency is meant for the import.
    pub fn satisfies(&self, import: &str) -> bool {
        let (wanted, wanted_version) = versioned(&self.name);
        let (import, version) = versioned(import);
        let package = import.split('/').next().unwrap_or(import);
        (wanted == import || (wanted.contains(':') && wanted == package))
            && (wanted_version.is_none() || wanted_version == version)
    }
}

fn versioned(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (name, None),
    }
}

fn inherits(table: &mut Table<'_, '_>) -> Option<bool> {
    let item = table.item("inherit_configuration")?;
    if !item.is_list() {
        return item.flag();
    }
    if !item.list()?.is_empty() {
        let what = format!(
            "{} is all or nothing on this host; write true or false",
            item.name
        );
        item.report.fault(&item.span, what);
    }
    Some(false)
}

fn check_name(name: &str) -> Result<(), String> {
    let (path, version) = versioned(name);
    let form = "write \"namespace:package/interface@version\"";
    if version.is_some_and(str::is_empty) {
        return Err(format!("its version is empty; {form}"));
    }
    let Some((namespace, rest)) = path.split_once(':') else {
        return name::check_component(name);
    };
    let (package, interface) = match rest.split_once('/') {
        Some((package, interface)) => (package, Some(interface)),
        None => (rest, None),
    };
    for part in [Some(namespace), Some(package), interface]
        .into_iter()
        .flatten()
    {
        name::check_component(part).map_err(|why| format!("{part:?}: {why}; {form}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn satisfies(name: &str, import: &str) -> bool {
        let dependency = Dependency {
            name: name.into(),
            source: DependencySource::Path(PathBuf::new()),
            export: None,
            inherits: false,
        };
        dependency.satisfies(import)
    }

    #[test]
    fn a_name_matches_what_it_says_and_nothing_else() {
        for (name, import) in [
            ("a:b/c@0.1.0", "a:b/c@0.1.0"),
            ("a:b/c", "a:b/c@0.1.0"),
            ("a:b", "a:b/c@0.1.0"),
            ("a:b@0.1.0", "a:b/c@0.1.0"),
            ("a-b", "a-b"),
        ] {
            assert!(satisfies(name, import), "{name} {import}");
        }
        for (name, import) in [
            ("a:b/c@0.1.0", "a:b/c"),
            ("a:b/c", "a:b/d"),
            ("a:b", "a:bc/c"),
            ("a:b@0.1.0", "a:b/c@0.2.0"),
            ("a", "a:b/c"),
        ] {
            assert!(!satisfies(name, import), "{name} {import}");
        }
    }
}
