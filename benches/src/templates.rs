//! Messages made in the sandbox, against minijinja without one: the same text, the same view, one after
//! the other on one thread.

mod published;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use praxis_host::capabilities::template::{Audience, Channel, Options, Request, Sandbox, Template};
use praxis_servers::{Durability, postgres};
use serde::Deserialize;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::figures::{Finding, Goal, Report, Row, pairwise};
use crate::place::Place;

const OF_NATIVE: f64 = 0.5;
const OWNER: &str = "bench";

/// A mail as clinics write them: a layout in MJML with a loop and a button.
const MAIL: &str = "\
{% set greeting = 'Dear' %}
{% macro signature() %}Yours, {{ view.practice.name }}{% endmacro %}
{% block subject %}Your appointment on {{ view.date }}{% endblock %}
{% block text %}
{{ greeting }} {{ view.name }},

you have an appointment with {{ view.with }} on {{ view.date }} at {{ view.time }}.
{% for line in view.lines %}
- {{ line }}
{% endfor %}
{% if view.cancel_url is defined %}To cancel it: {{ view.cancel_url }}{% endif %}

{{ signature() }}
{% endblock %}
{% block mjml %}
<mjml>
  <mj-body background-color=\"{{ view.practice.color }}\">
    <mj-section><mj-column><mj-image src=\"{{ view.practice.logo }}\" width=\"120px\" /></mj-column></mj-section>
    <mj-section background-color=\"#ffffff\">
      <mj-column>
        <mj-text>{{ greeting }} {{ view.name }},</mj-text>
        <mj-text>you have an appointment with {{ view.with }} on {{ view.date }} at {{ view.time }}.</mj-text>
        <mj-text><ul>{% for line in view.lines %}<li>{{ line }}</li>{% endfor %}</ul></mj-text>
        {% if view.cancel_url is defined %}<mj-button href=\"{{ view.cancel_url }}\">Cancel</mj-button>{% endif %}
        <mj-text>{{ signature() }}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
{% endblock %}
";
const VIEW: &str = r##"{
    "name": "Anna Bauer", "with": "Dr. Ito", "date": "Monday, 23 November 2026", "time": "10:00",
    "practice": {"name": "Practice One", "color": "#abcdef", "logo": "https://example.com/logo.png"},
    "lines": ["Bring your card", "Come ten minutes early", "Ring twice", "Second floor"],
    "cancel_url": "https://example.com/cancel?token=abcdef&x=1"
}"##;

/// What `compile` answers, as far as it is needed to do the same without the sandbox.
#[derive(Deserialize)]
struct Compiled {
    subject: String,
    text: String,
    html: String,
}

/// One contestant in one round.
struct Sample {
    per_second: f64,
    mean_us: f64,
    p99_us: f64,
}

pub async fn measure(place: &Place, rounds: usize, seconds: u32) -> anyhow::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let mut server = postgres::start(&folder.path().join("postgres"), Durability::Scratch).await?;
    let pool = PgPool::connect(&server.url()).await?;
    place.migrate(&[("DATABASE_URL", server.url())])?;
    let stop = CancellationToken::new();
    let options = Options {
        cache_folder: folder.path().join("compiled"),
        renderer: Some(place.component("jinja-renderer")?),
        pool: Some(pool),
    };
    let sandbox = Sandbox::start(options, &stop).map_err(anyhow::Error::from)?;
    let report = contest(place, &sandbox, rounds, Duration::from_secs(seconds.into())).await;
    stop.cancel();
    server.stop().await?;
    Ok(vec![report?, published::measure(place).await?])
}

async fn contest(
    place: &Place,
    sandbox: &Sandbox,
    rounds: usize,
    time: Duration,
) -> anyhow::Result<Report> {
    let compiled = sandbox.compile(Channel::Email, MAIL).await;
    let compiled = compiled.map_err(|error| anyhow!("{error:?}"))?;
    let parts: Compiled = serde_json::from_str(&compiled)?;
    let text = Template::Text(compiled);
    let wasm = std::fs::read(place.component("rendering")?)?;
    let component = Template::Component(sandbox.keep(OWNER, wasm).await?);
    let once = natives(&parts)?;

    let mut samples: [Vec<Sample>; 4] = Default::default();
    for round in 0..=rounds {
        let taken = [
            plain(time, || native_once(&once))?,
            plain(time, || native_each(&parts))?,
            boxed(time, sandbox, &text).await?,
            boxed(time, sandbox, &component).await?,
        ];
        // The first warms up.
        if round > 0 {
            for (samples, sample) in samples.iter_mut().zip(taken) {
                samples.push(sample);
            }
        }
    }
    let [once, each, text, component] = &samples;
    let names = [
        "minijinja, read once",
        "minijinja, read each time",
        "sandbox, Jinja",
        "sandbox, a component",
    ];
    let rows = names.iter().zip(&samples);
    let ratio = |a: &Sample, b: &Sample| a.per_second / b.per_second;
    let added = |a: &Sample, b: &Sample| a.mean_us - b.mean_us;
    Ok(Report {
        title: "Messages made of a template, one after the other".into(),
        columns: vec!["messages/s", "mean µs", "p99 µs"],
        rows: rows
            .map(|(name, samples)| {
                Row::new(
                    *name,
                    samples,
                    &[|s| s.per_second, |s| s.mean_us, |s| s.p99_us],
                )
            })
            .collect(),
        findings: vec![
            Finding::new(
                "messages/s, Jinja in the sandbox : minijinja that reads each time",
                pairwise(text, each, ratio),
                Some(Goal::AtLeast(OF_NATIVE)),
            ),
            Finding::new(
                "messages/s, Jinja in the sandbox : minijinja that read once",
                pairwise(text, once, ratio),
                Some(Goal::AtLeast(OF_NATIVE)),
            ),
            Finding::new(
                "messages/s, a component : minijinja that read once",
                pairwise(component, once, ratio),
                Some(Goal::AtLeast(OF_NATIVE)),
            ),
            Finding::new(
                "added by the sandbox to Jinja, µs",
                pairwise(text, each, added),
                None,
            ),
        ],
    })
}

fn plain(time: Duration, render: impl Fn() -> anyhow::Result<usize>) -> anyhow::Result<Sample> {
    let mut taken = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        let one = Instant::now();
        render()?;
        taken.push(one.elapsed());
    }
    Ok(sample(taken, begun.elapsed()))
}

async fn boxed(time: Duration, sandbox: &Sandbox, template: &Template) -> anyhow::Result<Sample> {
    let request = Request {
        event: "plain".into(),
        audience: Audience::Patient,
        channel: Channel::Email,
        locale: "en".into(),
        view: VIEW.into(),
    };
    let mut taken = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        let one = Instant::now();
        let said = sandbox.render(OWNER, template, &request).await;
        said.map_err(|error| anyhow!("{error:?}"))?;
        taken.push(one.elapsed());
    }
    Ok(sample(taken, begun.elapsed()))
}

fn sample(mut taken: Vec<Duration>, time: Duration) -> Sample {
    taken.sort();
    let count = taken.len() as f64;
    let p99 = taken.len() * 99 / 100;
    Sample {
        per_second: count / time.as_secs_f64(),
        mean_us: time.as_secs_f64() * 1e6 / count,
        p99_us: taken
            .get(p99)
            .map_or(0.0, |taken| taken.as_secs_f64() * 1e6),
    }
}

fn environment<'source>() -> Environment<'source> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(500_000));
    environment.set_auto_escape_callback(|name| match name {
        "html" => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment
}

fn natives(parts: &Compiled) -> anyhow::Result<Environment<'_>> {
    let mut environment = environment();
    environment.add_template("subject", &parts.subject)?;
    environment.add_template("text", &parts.text)?;
    environment.add_template("html", &parts.html)?;
    Ok(environment)
}

fn view() -> anyhow::Result<Value> {
    let view: HashMap<String, serde_json::Value> =
        serde_json::from_str(VIEW).context("the view")?;
    Ok(context! { view => Value::from(Serde(&view)) })
}

/// As a server would that knows its templates from the beginning.
fn native_once(environment: &Environment<'_>) -> anyhow::Result<usize> {
    let view = view()?;
    let mut bytes = 0;
    for name in ["subject", "text", "html"] {
        let template = environment.get_template(name)?;
        bytes += template.render(view.clone())?.trim().to_owned().len();
    }
    Ok(bytes)
}

/// As the sandbox must, whose next message may be of another template.
fn native_each(parts: &Compiled) -> anyhow::Result<usize> {
    let view = view()?;
    let environment = environment();
    let mut bytes = 0;
    for (name, source) in [
        ("subject", &parts.subject),
        ("text", &parts.text),
        ("html", &parts.html),
    ] {
        let said = environment.render_named_str(name, source, view.clone())?;
        bytes += said.trim().to_owned().len();
    }
    Ok(bytes)
}
