//! `spin.toml`, read once and checked once: https://spinframework.dev/manifest-reference, version 2.

mod application;
mod component;
mod dependency;
mod document;
mod fault;
pub mod grant;
mod hosts;
pub mod limits;
mod name;
pub mod route;
pub mod template;
#[cfg(test)]
mod tests;
mod tool;
mod trigger;

pub mod network;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use toml::Spanned;
use toml::de::DeTable;

pub use self::application::{
    Application, ApplicationTool, ApplicationTools, ApplicationTriggers, Authentication, FieldType,
    RedisDefaults, Service, Topic, Topics, Variable,
};
pub use self::component::{Build, Component, ComponentTools, FileMount};
pub use self::dependency::{Dependency, DependencySource};
pub use self::fault::{Fault, Place, suggest};
pub use self::name::{check_component, check_variable};
pub use self::route::Route;
pub use self::tool::{Channel, ComponentTool, Instances};
pub use self::trigger::{
    CronTrigger, HttpTrigger, KafkaTrigger, OnExhausted, RedisTrigger, Triggers,
};

use self::document::{Kind, Reference, Report, Table};
use self::fault::Findings;

const VERSION: u32 = 2;
/// A manifest is written by hand: what is longer is something else.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

/// The whole manifest.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    pub application: Application,
    pub variables: BTreeMap<String, Variable>,
    pub trigger: Triggers,
    pub component: BTreeMap<String, Component>,
    /// The file itself.
    pub path: PathBuf,
    /// The folder that holds the file: relative paths start there.
    pub folder: PathBuf,
}

/// A manifest as far as it could be understood, and all that is wrong with it.
#[derive(Debug, Default)]
pub struct Reading {
    pub manifest: Manifest,
    /// In the order of the file. Empty: the manifest holds together.
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl Manifest {
    /// Reads and checks the file; logs what only looks like a mistake.
    ///
    /// Fails with all that is wrong, one line each: `file:line:column: what; suggestion`.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let reading = Reading::of_file(path)?;
        for warning in &reading.warnings {
            tracing::warn!("{warning}");
        }
        if !reading.faults.is_empty() {
            let faults: Vec<_> = reading.faults.iter().map(Fault::to_string).collect();
            bail!("{}", faults.join("\n"));
        }
        Ok(reading.manifest)
    }

    /// A component that a trigger names.
    ///
    /// # Panics
    /// If it is not there: `load` checks every name.
    pub fn component(&self, id: &str) -> &Component {
        self.component
            .get(id)
            .expect("load checks that every trigger's component is there")
    }

    /// The component that makes messages of texts.
    pub fn template_renderer(&self) -> Option<&str> {
        let tool = &self.application.tool.praxis;
        tool.template_renderer.as_deref()
    }

    /// The components that have this one inside them.
    pub fn around(&self, id: &str) -> impl Iterator<Item = &Component> {
        let has_inside = move |outer: &&Component| {
            let mut inner = outer.dependencies.iter();
            inner.any(|inner| matches!(&inner.source, DependencySource::Component(i) if i == id))
        };
        self.component.values().filter(has_inside)
    }

    /// The consumer group of a trigger.
    pub fn group(&self, trigger: &KafkaTrigger) -> String {
        trigger
            .group
            .clone()
            .unwrap_or_else(|| format!("{}.{}", self.application.name, trigger.component))
    }

    fn read(mut table: Table<'_, '_>) -> Self {
        // Version 1 was also written as text.
        if let Some(version) = table.required("spin_manifest_version")
            && (version.is_text()
                || version
                    .number::<u32>()
                    .is_some_and(|number| number != VERSION))
        {
            let what = "spin_manifest_version must be 2; \
                        version 1 is described at https://spinframework.dev/upgrade";
            table.report.fault(&version.span, what);
        }
        let application = table.required("application");
        let application = application.and_then(|item| item.table());
        let application = application.map(Application::read).unwrap_or_default();
        let variables = table.table("variables");
        let component = table.table("component");
        let mut component = component.map(Component::read_all).unwrap_or_default();
        let trigger = table.table("trigger");
        let manifest = Self {
            variables: variables.map(Variable::read_all).unwrap_or_default(),
            trigger: trigger
                .map(|table| Triggers::read(table, &application, &mut component))
                .unwrap_or_default(),
            application,
            component,
            path: PathBuf::new(),
            folder: PathBuf::new(),
        };
        table.finish();
        manifest
    }

    /// Notes every name that is not declared.
    fn check_references(&self, references: Vec<Reference>, findings: &mut Findings<'_>) {
        let topics = &self.application.trigger.kafka.topics;
        let indexes = &self.application.tool.praxis.indexes;
        for reference in references {
            let Reference {
                kind,
                name,
                from,
                span,
            } = reference;
            let (noun, table, known): (_, _, Vec<&str>) = match kind {
                Kind::Component => {
                    let known = self.component.keys().map(String::as_str).collect();
                    ("component", "[component]", known)
                }
                Kind::Topic => {
                    let known = topics.keys().map(String::as_str).collect();
                    ("topic", "[application.trigger.kafka.topics]", known)
                }
                Kind::Index => {
                    let known = indexes.keys().map(String::as_str).collect();
                    ("index", "[application.tool.praxis.indexes]", known)
                }
                Kind::Variable => {
                    let known = self.variables.keys().map(String::as_str).collect();
                    ("variable", "[variables]", known)
                }
            };
            if !known.contains(&name.as_str()) {
                let suggestion = suggest(&name, known);
                let what = format!(
                    "{from} names the {noun} {name:?}, which {table} does not have; {suggestion}"
                );
                findings.fault(&span, what);
            }
        }
    }
}

impl Manifest {
    /// A component inside another brings no grants of its own: that it has some is a
    /// misunderstanding.
    fn check_dependencies(&self, findings: &mut Findings<'_>) {
        for component in self.component.values() {
            for dependency in &component.dependencies {
                let DependencySource::Component(id) = &dependency.source else {
                    continue;
                };
                let Some(inner) = self.component.get(id) else {
                    continue;
                };
                let granted = inner.granted();
                if !granted.is_empty() {
                    let what = format!(
                        "the component {id:?} has grants ({}) that do not apply inside {:?}; \
                         move them there, and say inherit_configuration = true",
                        granted.join(", "),
                        component.id
                    );
                    findings.fault_at(inner.place, what);
                }
            }
        }
    }
}

impl Reading {
    /// Fails only if the file cannot be read at all.
    pub fn of_file(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path)
            .with_context(|| format!("could not read the manifest {}", path.display()))?;
        Ok(Self::of_bytes(path, &bytes))
    }

    /// Reads what a file holds, whatever it is.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Self {
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= MANIFEST_BYTES_MAX => return Self::of_text(path, text),
            Ok(_) => {
                let mut findings = Findings::new(path, "");
                let what = format!("a manifest has at most {MANIFEST_BYTES_MAX} bytes");
                findings.fault(&(0..0), what);
                return Self::failed(findings);
            }
            Err(fault) => fault.valid_up_to(),
        };
        let text = std::str::from_utf8(&bytes[..valid]).unwrap_or_default();
        let mut findings = Findings::new(path, text);
        findings.fault(&(valid..valid), "this is not text in UTF-8; a manifest is");
        Self::failed(findings)
    }

    fn of_text(path: &Path, text: &str) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut findings = Findings::new(path, text);
        if !errors.is_empty() {
            for error in errors {
                let span = error.span().unwrap_or(0..0);
                findings.fault(&span, format!("this is not TOML: {}", error.message()));
            }
            return Self::failed(findings);
        }
        // Where something is missing at the top, the file's first line lacks it.
        let document = Spanned::new(0..0, document.into_inner());
        let report = Report::new(findings);
        let manifest = Manifest::read(Table::new(document::ROOT.into(), &document, &report));
        let Report {
            findings,
            references,
        } = report;
        let mut findings = findings.into_inner();
        manifest.check_references(references.into_inner(), &mut findings);
        manifest.check_dependencies(&mut findings);
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let manifest = Manifest {
            path: path.to_path_buf(),
            folder,
            ..manifest
        };
        Self {
            manifest,
            ..Self::failed(findings)
        }
    }

    fn failed(findings: Findings<'_>) -> Self {
        let sorted = |mut faults: Vec<Fault>| {
            faults.sort_by(|a, b| (a.place, &a.what).cmp(&(b.place, &b.what)));
            faults.dedup();
            faults
        };
        Self {
            manifest: Manifest::default(),
            faults: sorted(findings.faults),
            warnings: sorted(findings.warnings),
        }
    }
}
