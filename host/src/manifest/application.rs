//! `[application]` and `[variables]`.

use std::collections::BTreeMap;

use super::document::{Kind, Table};
use super::fault::Place;
use super::limits::{self, Limits};
use super::name;
use super::template;
use super::tool::references;

#[derive(Debug, Clone, Default)]
pub struct Application {
    pub name: String,
    pub version: String,
    pub trigger: ApplicationTriggers,
    pub tool: ApplicationTools,
}

#[derive(Debug, Clone, Default)]
pub struct ApplicationTriggers {
    pub kafka: Topics,
    pub redis: RedisDefaults,
}

/// The topics that the application needs: made at start-up if they are not there.
#[derive(Debug, Clone, Default)]
pub struct Topics {
    pub topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Clone)]
pub struct Topic {
    pub partitions: u32,
    pub retention_hours: u32,
    /// Copies, where the cluster has that many brokers.
    pub replication: u32,
    pub min_insync_replicas: u32,
}

/// What holds for every `[[trigger.redis]]` that does not say otherwise.
#[derive(Debug, Clone, Default)]
pub struct RedisDefaults {
    /// A template: `{{ name }}` stands for a variable.
    pub address: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct ApplicationTools {
    pub praxis: ApplicationTool,
}

/// What the application asks of this host: `[application.tool.praxis]`.
#[derive(Debug, Clone, Default)]
pub struct ApplicationTool {
    /// The search indexes and the type of each field.
    pub indexes: BTreeMap<String, BTreeMap<String, FieldType>>,
    /// Servers that the host connects to. It gives their addresses to the application's variables
    /// `database_url` and `redis_url`.
    pub services: Vec<Service>,
    /// How the host finds out who asks, before a component is called. Without it requests pass as
    /// they are.
    pub authentication: Option<Authentication>,
    /// Serve `/health`, `/metrics` and `/v1/ops` beside the application's own routes.
    pub operations: bool,
    /// The component that makes messages of texts, for those whose `templates` are granted.
    pub template_renderer: Option<String>,
    /// Variables that a development host makes up where nobody sets them: 32 random bytes in
    /// hexadecimal, kept in its data folder.
    pub development_secrets: Vec<String>,
    /// Let `praxis up` fill the directory with invented practices.
    pub demo_directory: bool,
    /// What clients may ask of the listener, and all components together of the host.
    pub limits: Limits,
}

/// A server that an application uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Postgres,
    Redis,
}

const SERVICES: [(&str, Service); 2] = [("postgres", Service::Postgres), ("redis", Service::Redis)];

/// How a request's sender is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// A bearer token (RFC 6750) that is a JWT; the verified claims go on as `praxis-claims`.
    Jwt,
}

const AUTHENTICATIONS: [(&str, Authentication); 1] = [("jwt", Authentication::Jwt)];

/// How an index treats a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    Keyword,
    Text,
    Number,
    Date,
    GeoPoint,
    Boolean,
    /// Kept and given back (a string), not searched.
    Stored,
}

const FIELD_TYPES: [(&str, FieldType); 7] = [
    ("keyword", FieldType::Keyword),
    ("text", FieldType::Text),
    ("number", FieldType::Number),
    ("date", FieldType::Date),
    ("geo-point", FieldType::GeoPoint),
    ("boolean", FieldType::Boolean),
    ("stored", FieldType::Stored),
];

/// A variable of the application: it has a default, or a value must be given.
#[derive(Debug, Clone, Default)]
pub struct Variable {
    /// As it is written: no template.
    pub default: Option<String>,
    pub required: bool,
    /// Where the manifest declares it.
    pub place: Place,
}

impl Application {
    pub(super) fn read(mut table: Table<'_, '_>) -> Self {
        let name = table.text("name");
        if name.is_empty() && table.has("name") {
            table
                .report
                .fault(&table.span, "[application] has an empty name");
        }
        let application = Self {
            name,
            version: table.optional_text("version").unwrap_or_default(),
            trigger: table
                .table("trigger")
                .map(ApplicationTriggers::read)
                .unwrap_or_default(),
            tool: ApplicationTools {
                praxis: praxis_of(&mut table)
                    .map(ApplicationTool::read)
                    .unwrap_or_default(),
            },
        };
        table.check_text("description");
        table.texts("authors");
        check_targets(&mut table);
        table.finish();
        application
    }
}

impl ApplicationTriggers {
    fn read(mut table: Table<'_, '_>) -> Self {
        if let Some(mut http) = table.table("http") {
            let base = http.item("base");
            let base = base.and_then(|base| Some((base.text()?, base.span)));
            if let Some((base, span)) = base
                && base != "/"
            {
                let what = "application.trigger.http.base is \"/\" on this host; \
                            write the prefix in each route";
                http.report.fault(&span, what);
            }
            http.finish();
        }
        let mut kafka = Topics::default();
        if let Some(mut table) = table.table("kafka") {
            for entry in table.entries_of("topics") {
                if let Some(topic) = entry.item.table() {
                    kafka.topics.insert(entry.key, Topic::read(topic));
                }
            }
            table.finish();
        }
        let mut redis = RedisDefaults::default();
        if let Some(mut table) = table.table("redis") {
            redis.address = template_of(&mut table, "address");
            table.finish();
        }
        table.finish();
        Self { kafka, redis }
    }
}

impl Topic {
    fn read(mut table: Table<'_, '_>) -> Self {
        let required = |table: &mut Table<'_, '_>, key| {
            let item = table.required(key);
            item.and_then(|item| item.number()).unwrap_or(1)
        };
        let topic = Self {
            partitions: required(&mut table, "partitions"),
            retention_hours: required(&mut table, "retention_hours"),
            replication: table.number("replication").unwrap_or(1),
            min_insync_replicas: table.number("min_insync_replicas").unwrap_or(1),
        };
        if [
            topic.partitions,
            topic.replication,
            topic.min_insync_replicas,
        ]
        .contains(&0)
        {
            let what = format!("{} has none of something; write at least 1", table.name);
            table.report.fault(&table.span, what);
        }
        table.finish();
        topic
    }
}

impl ApplicationTool {
    fn read(mut table: Table<'_, '_>) -> Self {
        let mut indexes = BTreeMap::new();
        for index in table.entries_of("indexes") {
            let fields = index.item.table().map(Table::entries).unwrap_or_default();
            let fields = fields.into_iter();
            let fields = fields.filter_map(|f| Some((f.key, f.item.one_of(&FIELD_TYPES)?)));
            indexes.insert(index.key, fields.collect());
        }
        let tool = Self {
            indexes,
            services: table.some_of("services", &SERVICES),
            authentication: table.one_of("authentication", &AUTHENTICATIONS),
            operations: table.flag("operations").unwrap_or_default(),
            template_renderer: template_renderer(&mut table),
            development_secrets: references(&mut table, "development_secrets", Kind::Variable),
            demo_directory: table.flag("demo_directory").unwrap_or_default(),
            limits: Limits::read(&mut table, &limits::OF_APPLICATIONS),
        };
        table.finish();
        tool
    }
}

impl Variable {
    /// All of `[variables]`.
    pub(super) fn read_all(table: Table<'_, '_>) -> BTreeMap<String, Self> {
        let mut variables = BTreeMap::new();
        for entry in table.entries() {
            let report = entry.item.report;
            if let Err(why) = name::check_variable(&entry.key) {
                let what = format!("a variable cannot be called {:?}: {why}", entry.key);
                report.fault(&entry.key_span, what);
            }
            let variable = entry
                .item
                .table()
                .map(|table| Self::read(table, &entry.key));
            let place = report.findings.borrow().place(&entry.key_span);
            let variable = variable.unwrap_or_default();
            variables.insert(entry.key, Self { place, ..variable });
        }
        variables
    }

    fn read(mut table: Table<'_, '_>, name: &str) -> Self {
        let variable = Self {
            default: table.optional_text("default"),
            required: table.flag("required").unwrap_or_default(),
            place: Place::default(),
        };
        table.check_text("description");
        // No variable's value is ever shown.
        table.flag("secret");
        if variable.required == table.has("default") {
            let what = format!("the variable {name} is either required or has a default; add one");
            table.report.fault(&table.span, what);
        }
        if variable
            .default
            .as_ref()
            .is_some_and(|text| text.contains("{{"))
        {
            let what = format!(
                "the default of {name} is taken as it is written; \
                 a template belongs in [component.*.variables]"
            );
            table.report.warning(&table.span, what);
        }
        table.finish();
        variable
    }
}

/// The id of a component.
fn template_renderer(table: &mut Table<'_, '_>) -> Option<String> {
    let item = table.item("template_renderer")?;
    let id = item.text()?;
    let report = item.report;
    report.refer(Kind::Component, &id, &item.name, &item.span);
    Some(id)
}

/// Our part of a table's `tool`; the parts of others are theirs.
pub(super) fn praxis_of<'r, 't>(table: &mut Table<'r, 't>) -> Option<Table<'r, 't>> {
    let mut ours = None;
    for entry in table.entries_of("tool") {
        if let Some(table) = entry.item.table()
            && entry.key == "praxis"
        {
            ours = Some(table);
        }
    }
    ours
}

/// A text in which `{{ name }}` stands for a variable.
pub(super) fn template_of(table: &mut Table<'_, '_>, key: &'static str) -> Option<String> {
    let item = table.item(key)?;
    let text = item.text()?;
    check_template(&item, &text);
    Some(text)
}

/// Notes a malformed template, and the variables that it names.
pub(super) fn check_template(item: &super::document::Item<'_, '_>, text: &str) {
    match template::names(text) {
        Ok(names) => {
            for name in names {
                let report = item.report;
                report.refer(Kind::Variable, name, &item.name, &item.span);
            }
        }
        Err(why) => item
            .report
            .fault(&item.span, format!("{}: {why}", item.name)),
    }
}

/// `targets` are the business of those who build: their form is checked, and nothing is done.
pub(super) fn check_targets(table: &mut Table<'_, '_>) {
    for target in table.list("targets") {
        if target.is_text() {
            continue;
        }
        if let Some(mut target) = target.table() {
            if target.optional_text("url").is_none() {
                target.text("path");
            }
            target.finish();
        }
    }
}
