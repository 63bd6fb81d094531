//! `[component.*]`: what runs, and what it may use.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::application::{check_targets, check_template, praxis_of};
use super::dependency::Dependency;
use super::document::{Item, Table};
use super::fault::Place;
use super::hosts;
use super::name;
use super::tool::ComponentTool;

#[derive(Debug, Clone, Default)]
pub struct Component {
    /// Its id: the name of its table in the manifest.
    pub id: String,
    /// Where the manifest describes it.
    pub place: Place,
    pub source: PathBuf,
    /// As Spin does, those of `allowed_http_hosts` are among them.
    pub allowed_outbound_hosts: Vec<String>,
    pub key_value_stores: Vec<String>,
    /// The component's variables: templates over the application's, `{{ name }}`.
    pub variables: BTreeMap<String, String>,
    /// As it is written: no templates.
    pub environment: BTreeMap<String, String>,
    /// What the component may read, below the manifest's folder.
    pub files: Vec<FileMount>,
    /// Patterns of files, relative to the manifest's folder, that are left out of `files`.
    pub exclude_files: Vec<String>,
    pub dependencies: Vec<Dependency>,
    pub build: Option<Build>,
    pub tool: ComponentTools,
}

/// Files of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMount {
    /// A file, a folder or a pattern: seen under the path that they have in the manifest's folder.
    Pattern(String),
    /// A file or a folder, seen elsewhere.
    Placement {
        source: PathBuf,
        destination: String,
    },
}

#[derive(Debug, Clone, Default)]
pub struct Build {
    /// Run one after the other.
    pub command: Vec<String>,
    pub workdir: Option<PathBuf>,
    pub watch: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct ComponentTools {
    pub praxis: ComponentTool,
}

const NOTHING_IS_DOWNLOADED: &str = "nothing is downloaded; fetch the file and write its path";

impl Component {
    /// All of `[component]`.
    pub(super) fn read_all(table: Table<'_, '_>) -> BTreeMap<String, Self> {
        let mut components = BTreeMap::new();
        for entry in table.entries() {
            let report = entry.item.report;
            if let Err(why) = name::check_component(&entry.key) {
                let what = format!("a component cannot be called {:?}: {why}", entry.key);
                report.fault(&entry.key_span, what);
            }
            let component = entry
                .item
                .table()
                .map(|table| Self::read(&entry.key, table));
            components.insert(entry.key, component.unwrap_or_default());
        }
        components
    }

    pub(super) fn read(id: &str, mut table: Table<'_, '_>) -> Self {
        let all_inherit = table.flag("dependencies_inherit_configuration");
        let component = Self {
            id: id.to_owned(),
            place: table.place(),
            source: table
                .required("source")
                .and_then(|source| read_source(&source))
                .unwrap_or_default(),
            allowed_outbound_hosts: hosts::read(&mut table),
            key_value_stores: stores(&mut table),
            variables: variables(&mut table),
            environment: table.texts_by_name("environment"),
            files: files(&mut table),
            exclude_files: table.texts("exclude_files"),
            dependencies: Dependency::read_all(&mut table, all_inherit.unwrap_or_default()),
            build: table.table("build").map(Build::read),
            tool: ComponentTools {
                praxis: praxis_of(&mut table)
                    .map(ComponentTool::read)
                    .unwrap_or_default(),
            },
        };
        for (key, why) in [
            (
                "sqlite_databases",
                "this host has no SQLite; use key_value_stores, or PostgreSQL through \
                 allowed_outbound_hosts",
            ),
            (
                "ai_models",
                "this host runs no models; call one over HTTP through allowed_outbound_hosts",
            ),
        ] {
            if !table.list(key).is_empty() {
                table.refuse(key, why);
            }
        }
        table.check_text("description");
        check_targets(&mut table);
        for profile in table.entries_of("profile") {
            if let Some(profile) = profile.item.table() {
                check_profile(profile);
            }
        }
        table.finish();
        component
    }
}

impl Component {
    /// The keys that grant it something.
    pub fn granted(&self) -> Vec<&'static str> {
        let tool = &self.tool.praxis;
        let granted = [
            (
                "allowed_outbound_hosts",
                self.allowed_outbound_hosts.is_empty(),
            ),
            ("key_value_stores", self.key_value_stores.is_empty()),
            ("variables", self.variables.is_empty()),
            ("files", self.files.is_empty()),
            ("dependencies", self.dependencies.is_empty()),
            ("tool.praxis.publishes", tool.publishes.is_empty()),
            ("tool.praxis.indexes", tool.indexes.is_empty()),
            ("tool.praxis.counters", tool.counters.is_empty()),
            ("tool.praxis.delivery", tool.delivery.is_empty()),
            ("tool.praxis.templates", !tool.templates),
        ];
        let granted = granted.into_iter().filter(|(_, is_empty)| !is_empty);
        granted.map(|(key, _)| key).collect()
    }
}

/// A path. What Spin would download is refused.
fn read_source(item: &Item<'_, '_>) -> Option<PathBuf> {
    if item.is_text() {
        let path = item.text()?;
        if path.is_empty() {
            let what = format!("{} is empty; write the path of a .wasm file", item.name);
            item.report.fault(&item.span, what);
        }
        return Some(path.into());
    }
    let mut table = item.table()?;
    if table.has("url") {
        table.text("url");
        table.text("digest");
    } else {
        table.optional_text("registry");
        table.text("package");
        table.text("version");
    }
    let what = format!("{}: {NOTHING_IS_DOWNLOADED}", item.name);
    item.report.fault(&item.span, what);
    table.finish();
    None
}

fn stores(table: &mut Table<'_, '_>) -> Vec<String> {
    let mut stores = Vec::new();
    for item in table.list("key_value_stores") {
        let Some(store) = item.text() else {
            continue;
        };
        if let Err(why) = name::check_store(&store) {
            let what = format!("a store cannot be called {store:?}: {why}");
            item.report.fault(&item.span, what);
        }
        stores.push(store);
    }
    stores
}

fn variables(table: &mut Table<'_, '_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for entry in table.entries_of("variables") {
        if let Err(why) = name::check_variable(&entry.key) {
            let what = format!("a variable cannot be called {:?}: {why}", entry.key);
            entry.item.report.fault(&entry.key_span, what);
        }
        if let Some(text) = entry.item.text() {
            check_template(&entry.item, &text);
            variables.insert(entry.key, text);
        }
    }
    variables
}

fn files(table: &mut Table<'_, '_>) -> Vec<FileMount> {
    let mut mounts = Vec::new();
    for item in table.list("files") {
        let mount = if item.is_text() {
            item.text().map(FileMount::Pattern)
        } else {
            item.table_named("an entry of files".into())
                .map(|mut table| {
                    let mount = FileMount::Placement {
                        source: table.text("source").into(),
                        destination: table.text("destination"),
                    };
                    table.finish();
                    mount
                })
        };
        if let Some(mount) = mount {
            if let Err(why) = mount.check() {
                item.report
                    .fault(&item.span, format!("{}: {why}", item.name));
            }
            mounts.push(mount);
        }
    }
    mounts
}

impl FileMount {
    /// Both ends stay where they belong: below the manifest's folder, and below the guest's root.
    fn check(&self) -> Result<(), String> {
        let leaves = |path: &str| path.split(['/', '\\']).any(|part| part == "..");
        let inside = |path: &str| {
            if path.starts_with('/') || leaves(path) {
                return Err(format!(
                    "{path:?} is outside the application's folder; put what is needed below it"
                ));
            }
            Ok(())
        };
        match self {
            Self::Pattern(pattern) => {
                if pattern.is_empty() || pattern == "." || pattern.ends_with("/.") {
                    return Err(format!(
                        "{pattern:?} names no file; write \"**/*\", \
                         or {{ source = \".\", destination = \"/\" }}"
                    ));
                }
                inside(pattern)
            }
            Self::Placement {
                source,
                destination,
            } => {
                if leaves(destination) || destination.is_empty() {
                    return Err(format!(
                        "{destination:?} is not a path of the guest; write one such as \"/files\""
                    ));
                }
                inside(&source.to_string_lossy())
            }
        }
    }
}

impl Build {
    fn read(mut table: Table<'_, '_>) -> Self {
        let build = Self {
            command: commands(&mut table),
            workdir: table.optional_text("workdir").map(PathBuf::from),
            watch: table.texts("watch"),
        };
        table.finish();
        build
    }
}

/// One command or several.
fn commands(table: &mut Table<'_, '_>) -> Vec<String> {
    let Some(item) = table.required("command") else {
        return Vec::new();
    };
    if item.is_list() {
        let items = item.list().unwrap_or_default();
        items.iter().filter_map(Item::text).collect()
    } else {
        item.text().into_iter().collect()
    }
}

/// Profiles say how to build and run otherwise; this host runs the manifest as it is.
fn check_profile(mut table: Table<'_, '_>) {
    if let Some(source) = table.item("source") {
        read_source(&source);
    }
    table.texts_by_name("environment");
    Dependency::read_all(&mut table, false);
    if let Some(mut build) = table.table("build") {
        commands(&mut build);
        build.finish();
    }
    table.finish();
}
