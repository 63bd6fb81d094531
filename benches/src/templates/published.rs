//! How soon a template that was published at one host is what another one says.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use praxis_servers::{Durability, postgres, redis};
use reqwest::{Client, RequestBuilder, header};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::bookings::{self, Calendar};
use crate::contestant::Contestant;
use crate::figures::{Finding, Goal, Report};
use crate::place::Place;

const PUBLISHES: i32 = 100;
/// Of different practitioners: both hosts have some of them.
const BOOKINGS: usize = 24;
const SOON_MS: f64 = 1_000.0;
const TOLD_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One host publishes; at once news of bookings comes in, of which the other handles its part. By the
/// database's clock, from the publishing to the first message of that version that the other host sent.
pub async fn measure(place: &Place) -> anyhow::Result<Report> {
    let folder = tempfile::tempdir()?;
    let scratch = Durability::Scratch;
    let mut database = postgres::start(&folder.path().join("postgres"), scratch).await?;
    let mut cache = redis::start(&folder.path().join("redis"), scratch).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;
    bookings::fill(&database.url(), 1).await?;
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let start = |name| Contestant::praxis(name, place, folder.path(), &manifest, "/", &services);
    let (here, there) = (start("here")?, start("there")?);
    let mut connection = PgConnection::connect(&database.url()).await?;

    book(&here).await?;
    bookings::until_level(&mut connection).await?;
    let author = json!({ "sub": "author", "roles": ["staff"], "tenant": "bench" });
    let staff = token(&here, &author).await?;
    for version in 1..=PUBLISHES {
        publish(&here, &staff, version).await?;
        repeat(&mut connection).await?;
        until_told(&mut connection, version).await?;
    }
    let soon_ms = first_messages(&mut connection, &folder.path().join("there/mail")).await?;
    drop((here, there));
    cache.stop().await?;
    database.stop().await?;

    let at = |share: usize| soon_ms[(soon_ms.len() - 1) * share / 100];
    let goal = Some(Goal::AtMost(SOON_MS));
    Ok(Report {
        title: format!(
            "From publishing to another host's first message, {} times",
            soon_ms.len()
        ),
        columns: Vec::new(),
        rows: Vec::new(),
        findings: vec![
            Finding::new("half of them within, ms", vec![at(50)], None),
            Finding::new("99 of a hundred within, ms", vec![at(99)], goal),
        ],
    })
}

async fn book(host: &Contestant) -> anyhow::Result<()> {
    let patient = token(host, &json!({ "sub": "bench-0", "roles": ["patient"] })).await?;
    let mut calendar = Calendar::from_now();
    for number in 0..BOOKINGS {
        let booked = request(host, "/v1/bookings")
            .bearer_auth(&patient)
            .header("idempotency-key", format!("booking-{number}"))
            .json(&calendar.slot());
        booked.send().await?.error_for_status()?;
    }
    Ok(())
}

async fn publish(host: &Contestant, staff: &str, version: i32) -> anyhow::Result<()> {
    let template = "/v1/tenants/bench/templates/booking-created/email/en/versions";
    let source = format!(
        "{{% block subject %}}{version}{{% endblock %}}{{% block text %}}{version}{{% endblock %}}"
    );
    let written = request(host, template)
        .bearer_auth(staff)
        .header(header::CONTENT_TYPE, "text/x-jinja")
        .body(source);
    written.send().await?.error_for_status()?;
    let published = request(host, &format!("{template}/{version}/publish"))
        .bearer_auth(staff)
        .header(header::IF_MATCH, format!("\"{}\"", version - 1));
    published.send().await?.error_for_status()?;
    Ok(())
}

/// The news of every booking once more, under new ids.
async fn repeat(connection: &mut PgConnection) -> anyhow::Result<()> {
    const REPEAT: &str = "
        insert into outbox (topic, key, kind, stream_version, data)
        select distinct on (key) topic, key, kind, stream_version, data
        from outbox
        where kind = 'BookingCreated'";
    sqlx::query(REPEAT).execute(connection).await?;
    Ok(())
}

async fn until_told(connection: &mut PgConnection, version: i32) -> anyhow::Result<()> {
    const TOLD: &str = "
        select count(*)
        from deliveries
        where template_version = $1 and status = 'sent'";
    let started = Instant::now();
    loop {
        let told: i64 = sqlx::query_scalar(TOLD)
            .bind(version)
            .fetch_one(&mut *connection)
            .await?;
        if usize::try_from(told)? == BOOKINGS {
            return Ok(());
        }
        ensure!(
            started.elapsed() < TOLD_WITHIN,
            "{told} of {BOOKINGS} patients were told by version {version}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Of each version, sorted.
async fn first_messages(connection: &mut PgConnection, mails: &Path) -> anyhow::Result<Vec<f64>> {
    const TOLD: &str = "
        select
            d.template_version,
            d.provider_id,
            extract(epoch from d.updated_at - c.changed_at)::float8 * 1e3
        from deliveries d
        join template_changes c on c.published = d.template_version
        where d.status = 'sent'
        order by 3";
    let told: Vec<(i32, String, f64)> = sqlx::query_as(TOLD).fetch_all(connection).await?;
    let mut seen = vec![false; usize::try_from(PUBLISHES)? + 1];
    let mut soon_ms = Vec::new();
    for (version, id, ms) in told {
        let seen = &mut seen[usize::try_from(version)?];
        if !*seen && mails.join(id).with_extension("json").exists() {
            *seen = true;
            soon_ms.push(ms);
        }
    }
    ensure!(
        soon_ms.len() == usize::try_from(PUBLISHES)?,
        "the other host said {} of {PUBLISHES} versions",
        soon_ms.len()
    );
    Ok(soon_ms)
}

async fn token(host: &Contestant, claims: &Value) -> anyhow::Result<String> {
    // An error means that it is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let asked = request(host, "/dev/token").json(claims);
    let answer: Value = asked.send().await?.error_for_status()?.json().await?;
    Ok(answer["token"].as_str().context("no token")?.to_owned())
}

fn request(host: &Contestant, path: &str) -> RequestBuilder {
    Client::new().post(format!("http://127.0.0.1:{}{path}", host.port))
}
