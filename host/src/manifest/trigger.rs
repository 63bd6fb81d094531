//! `[[trigger.*]]`: what makes a component run.

use std::collections::BTreeMap;

use croner::parser::{CronParser, Seconds};

use super::application::{Application, template_of};
use super::component::Component;
use super::document::{Item, Kind, Span, Table};
use super::route::{self, Route};

#[derive(Debug, Clone, Default)]
pub struct Triggers {
    pub http: Vec<HttpTrigger>,
    pub kafka: Vec<KafkaTrigger>,
    pub cron: Vec<CronTrigger>,
    pub redis: Vec<RedisTrigger>,
}

#[derive(Debug, Clone)]
pub struct HttpTrigger {
    pub route: Route,
    pub component: String,
}

#[derive(Debug, Clone)]
pub struct KafkaTrigger {
    pub topic: String,
    pub component: String,
    /// The consumer group; by default the application's name, a dot and the component's.
    pub group: Option<String>,
    /// Tries before an event is a dead letter, or its key is held.
    pub max_attempts: u32,
    /// Events of one partition that are handled at one time, all of different keys.
    pub max_in_flight: u16,
    pub on_exhausted: OnExhausted,
    /// Events of one call, where the component takes batches.
    pub batch_events_max: u16,
}

/// What becomes of an event that was tried as often as it may be, or rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExhausted {
    /// It goes to the dead letters, and the next of its key is handled.
    #[default]
    DeadLetter,
    /// It is tried again all the same, and its key is held until that works or an operator skips the
    /// event: for streams in which one that is left out makes the next ones wrong.
    Park,
}

impl KafkaTrigger {
    pub const ATTEMPTS_MAX_DEFAULT: u32 = 12;
    pub const IN_FLIGHT_MAX_DEFAULT: u16 = 16;
    pub const BATCH_EVENTS_MAX_DEFAULT: u16 = 64;
    /// What `max_in_flight` and `batch_events_max` may be at most.
    pub const EVENTS_CEILING: u16 = 1_024;
}

#[derive(Debug, Clone)]
pub struct CronTrigger {
    pub component: String,
    /// Six fields, seconds first, in UTC: `0 * * * * *` is every minute.
    pub schedule: String,
    /// The `kind` of the event that the component gets.
    pub kind: String,
}

/// A channel of a Redis server, and the component that gets what is published there.
#[derive(Debug, Clone)]
pub struct RedisTrigger {
    /// A template; by default `[application.trigger.redis]` says it.
    pub address: Option<String>,
    /// A template.
    pub channel: String,
    pub component: String,
}

/// The components of the manifest, which triggers may add to: one may be written in its trigger.
type Components = BTreeMap<String, Component>;

impl Triggers {
    pub(super) fn read(
        mut table: Table<'_, '_>,
        application: &Application,
        components: &mut Components,
    ) -> Self {
        let mut routes = BTreeMap::new();
        let mut http = Vec::new();
        for mut table in triggers(&mut table, "http") {
            http.push(HttpTrigger::read(&mut table, components, &mut routes));
            table.finish();
        }
        let mut kafka = Vec::new();
        for mut table in triggers(&mut table, "kafka") {
            kafka.push(KafkaTrigger {
                topic: topic(&mut table),
                component: component(&mut table, "kafka", components),
                group: table.optional_text("group"),
                max_attempts: table
                    .number("max_attempts")
                    .unwrap_or(KafkaTrigger::ATTEMPTS_MAX_DEFAULT),
                max_in_flight: events(&mut table, "max_in_flight")
                    .unwrap_or(KafkaTrigger::IN_FLIGHT_MAX_DEFAULT),
                on_exhausted: table
                    .one_of("on_exhausted", &ON_EXHAUSTED)
                    .unwrap_or_default(),
                batch_events_max: events(&mut table, "batch_events_max")
                    .unwrap_or(KafkaTrigger::BATCH_EVENTS_MAX_DEFAULT),
            });
            table.finish();
        }
        let mut cron = Vec::new();
        for mut table in triggers(&mut table, "cron") {
            cron.push(CronTrigger {
                component: component(&mut table, "cron", components),
                schedule: schedule(&mut table),
                kind: table.text("kind"),
            });
            table.finish();
        }
        let mut redis = Vec::new();
        for mut table in triggers(&mut table, "redis") {
            table.required("channel");
            if !table.has("address") && application.trigger.redis.address.is_none() {
                let what = "[[trigger.redis]] has no address; add one, or one for all in \
                            [application.trigger.redis]";
                table.report.fault(&table.span, what);
            }
            redis.push(RedisTrigger {
                address: template_of(&mut table, "address"),
                channel: template_of(&mut table, "channel").unwrap_or_default(),
                component: component(&mut table, "redis", components),
            });
            table.finish();
        }
        table.finish();
        Self {
            http,
            kafka,
            cron,
            redis,
        }
    }

    /// Which component each trigger runs.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let http = self.http.iter().map(|t| t.component.as_str());
        let kafka = self.kafka.iter().map(|t| t.component.as_str());
        let cron = self.cron.iter().map(|t| t.component.as_str());
        let redis = self.redis.iter().map(|t| t.component.as_str());
        http.chain(kafka).chain(cron).chain(redis)
    }
}

impl HttpTrigger {
    fn read(
        table: &mut Table<'_, '_>,
        components: &mut Components,
        routes: &mut BTreeMap<String, Span>,
    ) -> Self {
        table.refuse(
            "static_response",
            "this host gives no fixed answers; let a component answer",
        );
        if let Some(executor) = table.item("executor") {
            check_executor(&executor);
        }
        let route = table.required("route");
        let route = route.and_then(|route| read_route(&route, routes));
        Self {
            route: route.unwrap_or_default(),
            component: component(table, "http", components),
        }
    }
}

/// The tables of one kind of trigger.
fn triggers<'r, 't>(table: &mut Table<'r, 't>, kind: &'static str) -> Vec<Table<'r, 't>> {
    let items = table.list(kind).into_iter();
    let name = format!("[[trigger.{kind}]]");
    items
        .filter_map(|item| item.table_named(name.clone()))
        .map(|mut table| {
            table.check_text("id");
            table
        })
        .collect()
}

/// The component of a trigger: its name, or all of it. What Spin would call it is its name then.
fn component(table: &mut Table<'_, '_>, kind: &str, components: &mut Components) -> String {
    let why = "this host runs one component for each trigger; name it in \"component\"";
    table.refuse("components", why);
    table.refuse("dependencies", why);
    let id = table.optional_text("id");
    let Some(item) = table.required("component") else {
        return String::new();
    };
    if item.is_text() {
        let name = item.text().unwrap_or_default();
        let report = item.report;
        report.refer(Kind::Component, &name, &table.name, &item.span);
        return name;
    }
    let Some(written) = item.table_named(format!("the component of {}", table.name)) else {
        return String::new();
    };
    let mut names = (1..).map(|n| match &id {
        Some(id) if n == 1 => format!("{id}-component"),
        None if n == 1 => format!("{kind}-trigger1-component"),
        Some(_) | None => format!("inline-component{}", n - 1),
    });
    let name = names
        .find(|name| !components.contains_key(name))
        .expect("names without end are not all taken");
    let component = Component::read(&name, written);
    components.insert(name.clone(), component);
    name
}

const ON_EXHAUSTED: [(&str, OnExhausted); 2] = [
    ("dead-letter", OnExhausted::DeadLetter),
    ("park", OnExhausted::Park),
];

/// A number of events that are handled at once.
fn events(table: &mut Table<'_, '_>, key: &'static str) -> Option<u16> {
    let item = table.item(key)?;
    let number = item.number::<u16>()?;
    let max = KafkaTrigger::EVENTS_CEILING;
    if !(1..=max).contains(&number) {
        let what = format!("{} is {number}; it may be 1 to {max}", item.name);
        item.report.fault(&item.span, what);
        return None;
    }
    Some(number)
}

fn topic(table: &mut Table<'_, '_>) -> String {
    let Some(item) = table.required("topic") else {
        return String::new();
    };
    let topic = item.text().unwrap_or_default();
    let report = item.report;
    report.refer(Kind::Topic, &topic, &table.name, &item.span);
    topic
}

fn schedule(table: &mut Table<'_, '_>) -> String {
    let Some(item) = table.required("schedule") else {
        return String::new();
    };
    let schedule = item.text().unwrap_or_default();
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    if let Err(why) = parser.parse(&schedule) {
        let what = format!(
            "{schedule:?} is not six fields of cron ({why}); \"0 * * * * *\" is every minute"
        );
        item.report.fault(&item.span, what);
    }
    schedule
}

fn read_route(item: &Item<'_, '_>, routes: &mut BTreeMap<String, Span>) -> Option<Route> {
    if !item.is_text() {
        let mut table = item.table_named("[[trigger.http]] route".into())?;
        let private = table.required("private").and_then(|private| private.flag());
        if private == Some(false) {
            let what = "a route is a path or { private = true }";
            table.report.fault(&table.span, what);
        }
        table.finish();
        return Some(Route::Private);
    }
    let route = item.text()?;
    if let Err(why) = route::check(&route) {
        let what = format!("the route {route:?} is not one: {why}");
        item.report.fault(&item.span, what);
    } else if let Some(earlier) = routes.insert(route::shape(&route), item.span.clone()) {
        let line = item.report.findings.borrow().place(&earlier).line;
        let what = format!("the route {route:?} is in line {line} already; this one wins");
        item.report.warning(&item.span, what);
    }
    Some(Route::Public(route))
}

fn check_executor(item: &Item<'_, '_>) {
    let Some(mut table) = item.table() else {
        return;
    };
    if let Some(kind) = table.required("type") {
        let name = kind.text();
        if name.as_deref() == Some("wagi") {
            let what = "this host does not run Wagi; \
                        build the component for wasi:http and leave \"executor\" out";
            table.report.fault(&kind.span, what);
            return;
        }
        kind.one_of(&[("http", ()), ("spin", ())]);
    }
    table.finish();
}
