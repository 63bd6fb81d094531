//! How long it takes to make the index and the bitmap anew: `praxis rebuild … --from snapshot`.

use std::process::Command;
use std::time::Instant;

use anyhow::Context as _;
use praxis_servers::{Durability, postgres, redis};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::contestant::Contestant;
use crate::growth::{operator, run};
use crate::place::Place;

const REBUILT: [&str; 2] = ["search", "availability"];

/// Into the tables directly, past every trigger: nothing is announced. Each practitioner has as many
/// bookings as the others, one a day.
const FILL: &str = "
set session_replication_role = replica;
insert into tenants (id, name) values ('bench', 'Bench');
insert into patients (id, subject, name, email, locale)
select ('00000000-0000-0000-0001-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench-' || n, 'Bench ' || n,
    'bench-' || n || '@example.org', 'en'
from generate_series(0, 999) n;
insert into practitioners (
    id, tenant_id, name, specialty, practice, city, country, lat, lon, time_zone, rating, week, version,
    profile_version
)
select md5(n::text)::uuid, 'bench', 'Dr. Bench ' || n, 'dentistry', 'Praxis ' || n / 4, 'City ' || n % 997,
    'DE', 47.5 + random() * 7, 6 + random() * 9, 'Europe/Berlin', round((random() * 5)::numeric, 1),
    '{130560,130560,130560,130560,130560,0,0}', 1 + {bookings} / {practitioners}, 1
from generate_series(0, {practitioners} - 1) n;
insert into next_slots (practitioner_id, next_available_slot, closes_at, source_version)
select id, date_trunc('hour', now()) + interval '30 days', date_trunc('hour', now()) + interval '30 days',
    version
from practitioners;
insert into bookings (
    id, practitioner_id, tenant_id, patient_id, slot_start, local_date, local_hour, time_zone, status,
    calendar_uid
)
select md5('b' || n)::uuid, md5((n % {practitioners})::text)::uuid, 'bench',
    ('00000000-0000-0000-0001-' || lpad(to_hex(n % 1000), 12, '0'))::uuid,
    (local_date + make_interval(hours => local_hour)) at time zone 'Europe/Berlin', local_date, local_hour,
    'Europe/Berlin', 'confirmed', md5('b' || n)::uuid
from (
    select n, current_date + 1 + (n / {practitioners})::int as local_date,
        9 + (n / {practitioners})::int % 8 as local_hour
    from generate_series(0, {bookings}::bigint - 1) n
) as slots;
-- It would look, too.
delete from audit_passes;
analyze practitioners, next_slots, bookings;
";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    practitioners: u64,
    #[arg(long, default_value_t = 5_000_000)]
    bookings: u64,
    /// How many pages are asked for at one time.
    #[arg(long, default_value_t = 3)]
    in_flight: u16,
}

pub async fn measure(arguments: &Arguments, place: &Place) -> anyhow::Result<()> {
    // An error means that it is installed already.
    _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir()?;
    let durable = Durability::Durable;
    let mut database = postgres::start(&folder.path().join("postgres"), durable).await?;
    let mut cache = redis::start(&folder.path().join("redis"), durable).await?;
    let services = [("DATABASE_URL", database.url()), ("REDIS_URL", cache.url())];
    place.migrate(&services)?;
    let begun = Instant::now();
    fill(&database.url(), arguments).await?;
    let Arguments {
        practitioners,
        bookings,
        in_flight,
    } = arguments;
    println!(
        "{practitioners} practitioners and {bookings} bookings are there after {:.1?}",
        begun.elapsed()
    );
    let manifest = place.root.join("spin.toml").canonicalize()?;
    let host = Contestant::praxis("praxis", place, folder.path(), &manifest, "/", &services)?;
    let url = format!("http://127.0.0.1:{}", host.port);
    let token = operator(&url).await?;
    for what in REBUILT {
        let begun = Instant::now();
        run(Command::new(&place.host)
            .args(["rebuild", what, "--from", "snapshot"])
            .args(["--in-flight", &in_flight.to_string()])
            .args(["--url", &url, "--token", &token]))
        .with_context(|| format!("{what} could not be made anew"))?;
        let seconds = begun.elapsed().as_secs_f64();
        let rate = *practitioners as f64 / seconds;
        println!("{what}: {seconds:.1} s in all, {rate:.0} practitioners a second");
    }
    println!("the host holds {} MiB", host.memory()?.resident >> 20);
    drop(host);
    cache.stop().await?;
    database.stop().await?;
    Ok(())
}

async fn fill(url: &str, arguments: &Arguments) -> anyhow::Result<()> {
    let fill = FILL
        .replace("{practitioners}", &arguments.practitioners.to_string())
        .replace("{bookings}", &arguments.bookings.to_string());
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(fill))
        .execute(&mut connection)
        .await
        .context("could not fill the tables")?;
    Ok(())
}
