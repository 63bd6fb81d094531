//! Practitioners in the database. Every change takes the next stream version and appends its
//! event to the outbox, in the statement that makes it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use praxis_domain::mask::Mask;
use praxis_domain::practitioner::Practitioner;
use praxis_platform::database::{self, Database, ParameterValue};
use serde::Serialize;
use uuid::Uuid;

/// How often a change gives way to others before it gives up.
const TRIES_MAX: u32 = 3;

/// Why a practitioner stays in their time zone, for who wanted to change it.
pub const ZONE_IN_USE: &str = "can't change while slots are booked or held: \
    those of the new zone could overlap them";
pub const NOT_KEPT: &str = "holds a value that can't be kept";

/// What became of one practitioner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Created,
    Updated,
    /// It was like that already: no new version, no event.
    Unchanged,
    /// It belongs to another tenant. Nothing was changed.
    OfAnotherTenant,
    /// Its `subject` is another practitioner's. Nothing was changed.
    SubjectTaken,
    /// Its time zone was to change, but slots of the old one are booked or held: those of the new
    /// one could overlap them. Nothing was changed.
    ZoneInUse,
    /// The database can't keep a value of it. Nothing was changed.
    NotKept,
}

/// Saves practitioners, whose ids must differ; the answer has one outcome each, in order.
pub async fn save(
    database: &Database,
    practitioners: &[&Practitioner],
) -> Result<Vec<Saved>, database::Error> {
    if practitioners.is_empty() {
        return Ok(Vec::new());
    }
    match save_all(database, practitioners).await {
        Err(error) if practitioners.len() == 1 => blame(error).map(|saved| vec![saved]),
        // One of them is to blame: the others must not suffer.
        Err(error) if is_of_one(&error) => {
            let mut saved = Vec::with_capacity(practitioners.len());
            for practitioner in practitioners {
                saved.push(save_one(database, practitioner).await?);
            }
            Ok(saved)
        }
        result => result,
    }
}

async fn save_one(database: &Database, one: &Practitioner) -> Result<Saved, database::Error> {
    match save_all(database, &[one]).await {
        Ok(saved) => Ok(saved[0]),
        Err(error) => blame(error),
    }
}

/// What an error means for the only practitioner that was to be saved.
fn blame(error: database::Error) -> Result<Saved, database::Error> {
    match error {
        database::Error::Constraint(name) if name == "practitioners_subject_key" => {
            Ok(Saved::SubjectTaken)
        }
        error if is_of_data(&error) => {
            eprintln!("a practitioner can't be kept: {error}");
            Ok(Saved::NotKept)
        }
        error => Err(error),
    }
}

/// Whether one of several practitioners caused it.
fn is_of_one(error: &database::Error) -> bool {
    matches!(error, database::Error::Constraint(_)) || is_of_data(error)
}

/// SQLSTATE class 22, data exception: a date, a number or a text that a column can't hold. The code
/// is what `Broken` begins with.
fn is_of_data(error: &database::Error) -> bool {
    matches!(error, database::Error::Broken(cause) if cause.starts_with("22"))
}

async fn save_all(
    database: &Database,
    practitioners: &[&Practitioner],
) -> Result<Vec<Saved>, database::Error> {
    let mut tries = 1;
    loop {
        match try_save_all(database, practitioners).await {
            Err(database::Error::Contention) if tries < TRIES_MAX => tries += 1,
            result => return result,
        }
    }
}

async fn try_save_all(
    database: &Database,
    practitioners: &[&Practitioner],
) -> Result<Vec<Saved>, database::Error> {
    database.execute("begin", Vec::new()).await?;
    let saved = lock_and_upsert(database, practitioners).await;
    let end = if saved.is_ok() { "commit" } else { "rollback" };
    let ended = database.execute(end, Vec::new()).await;
    // Why it failed counts for more than how the transaction ended.
    let saved = saved?;
    ended?;
    Ok(saved)
}

async fn lock_and_upsert(
    database: &Database,
    practitioners: &[&Practitioner],
) -> Result<Vec<Saved>, database::Error> {
    // Not one by one, and in one order: two imports of the same file do not block each other.
    // The statement after it sees what others changed until then.
    const LOCK: &str = "
        select id
        from practitioners
        where id = any ($1::text[]::uuid[])
        order by id
        for update";
    let ids = practitioners.iter().map(|one| Some(one.id.to_string()));
    database
        .rows(LOCK, vec![ParameterValue::ArrayStr(ids.collect())])
        .await?;
    let rows: Vec<Row> = practitioners
        .iter()
        .enumerate()
        .map(|(line, one)| Row::new(line, one))
        .collect();
    let saved = database.rows(UPSERT, vec![database::json(&rows)]).await?;
    saved
        .iter()
        .map(|row| {
            Ok(match row.get::<String>("saved")?.as_str() {
                "created" => Saved::Created,
                "updated" => Saved::Updated,
                "unchanged" => Saved::Unchanged,
                "zone-in-use" => Saved::ZoneInUse,
                _ => Saved::OfAnotherTenant,
            })
        })
        .collect()
}

/// A row of `practitioners`, as JSON.
#[derive(Serialize)]
struct Row<'a> {
    /// Where it stands among those that are saved with it.
    line: usize,
    id: Uuid,
    tenant_id: &'a str,
    subject: Option<&'a str>,
    name: &'a str,
    specialty: &'a str,
    practice: &'a str,
    address: &'a str,
    city: &'a str,
    country: &'a str,
    lat: f64,
    lon: f64,
    time_zone: &'a str,
    rating: f64,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    locale: &'a str,
    active: bool,
    week: Vec<u32>,
    exceptions: BTreeMap<Date, u32>,
}

impl<'a> Row<'a> {
    fn new(line: usize, one: &'a Practitioner) -> Self {
        let exceptions = &one.schedule.exceptions;
        Self {
            line,
            id: one.id,
            tenant_id: &one.tenant,
            subject: one.subject.as_deref(),
            name: &one.name,
            specialty: one.specialty.key(),
            practice: &one.practice,
            address: &one.address,
            city: &one.city,
            country: &one.country,
            lat: one.lat,
            lon: one.lon,
            time_zone: one.schedule.zone.name(),
            rating: one.rating,
            email: one.email.as_deref(),
            phone: one.phone.as_deref(),
            locale: &one.locale,
            active: one.active,
            week: one.schedule.week.map(Mask::bits).to_vec(),
            exceptions: exceptions
                .iter()
                .map(|(date, mask)| (*date, mask.bits()))
                .collect(),
        }
    }
}

/// Upsert, stream version, hours and outbox, for any number of practitioners.
const UPSERT: &str = "
    with incoming as (
        select *
        from jsonb_to_recordset($1::jsonb) as row (
            line int, id uuid, tenant_id text, subject text, name text, specialty text, practice text,
            address text, city text, country text, lat float8, lon float8, time_zone text,
            rating float8, email text, phone text, locale text, active boolean, week int[],
            exceptions jsonb
        )
    ),
    known as (
        select
            practitioners.id,
            practitioners.tenant_id,
            -- Under the lock of the row: who books at this moment finds the new profile version,
            -- and decides again. The slot that goes on now counts too.
            practitioners.time_zone <> incoming.time_zone
                and exists (
                    select
                    from bookings
                    where bookings.practitioner_id = practitioners.id
                        and bookings.slot_start > now() - interval '1 hour'
                        and (
                            bookings.status = 'confirmed'
                            or bookings.status = 'held' and bookings.hold_expires_at > now()
                        )
                ) as zone_in_use,
            coalesce(
                (
                    select jsonb_object_agg(local_date::text, mask)
                    from schedule_exceptions
                    where practitioner_id = practitioners.id
                ),
                '{}'
            ) as exceptions
        from practitioners
        join incoming using (id)
    ),
    new_tenants as (
        insert into tenants (id, name)
        select distinct on (incoming.tenant_id)
            incoming.tenant_id,
            coalesce(nullif(practice, ''), incoming.tenant_id)
        from incoming
        left join known using (id)
        where known.id is null
        order by incoming.tenant_id, line
        on conflict (id) do nothing
    ),
    changed as (
        insert into practitioners as held (
            id, tenant_id, subject, name, specialty, practice, address, city, country, lat, lon,
            time_zone, rating, email, phone, locale, active, week, version, profile_version
        )
        select
            id, tenant_id, subject, name, specialty, practice, address, city, country, lat, lon,
            time_zone, rating, email, phone, locale, active, week, 1, 1
        from incoming
        where id not in (select id from known where zone_in_use)
        order by id
        on conflict (id) do update set
            subject = excluded.subject,
            name = excluded.name,
            specialty = excluded.specialty,
            practice = excluded.practice,
            address = excluded.address,
            city = excluded.city,
            country = excluded.country,
            lat = excluded.lat,
            lon = excluded.lon,
            time_zone = excluded.time_zone,
            rating = excluded.rating,
            email = excluded.email,
            phone = excluded.phone,
            locale = excluded.locale,
            active = excluded.active,
            week = excluded.week,
            version = held.version + 1,
            profile_version = held.version + 1,
            updated_at = now()
        where held.tenant_id = excluded.tenant_id
            and (
                (
                    held.subject, held.name, held.specialty, held.practice, held.address,
                    held.city, held.country, held.lat, held.lon, held.time_zone, held.rating,
                    held.email, held.phone, held.locale, held.active, held.week
                ) is distinct from (
                    excluded.subject, excluded.name, excluded.specialty, excluded.practice,
                    excluded.address, excluded.city, excluded.country, excluded.lat, excluded.lon,
                    excluded.time_zone, excluded.rating, excluded.email, excluded.phone,
                    excluded.locale, excluded.active, excluded.week
                )
                or exists (
                    select
                    from incoming
                    left join known using (id)
                    where incoming.id = held.id
                        and incoming.exceptions is distinct from coalesce(known.exceptions, '{}')
                )
            )
        returning id, tenant_id, active, version
    ),
    exceptions_gone as (
        delete from schedule_exceptions
        using changed, incoming
        where incoming.id = changed.id
            and practitioner_id = changed.id
            and not incoming.exceptions ? local_date::text
    ),
    exceptions_kept as (
        insert into schedule_exceptions (practitioner_id, local_date, mask)
        select changed.id, exception.key::date, exception.value::int
        from changed
        join incoming using (id)
        cross join jsonb_each_text(incoming.exceptions) as exception
        on conflict (practitioner_id, local_date) do update set mask = excluded.mask
    ),
    events as (
        insert into outbox (topic, key, kind, stream_version, data)
        select
            'practitioner-events',
            id::text,
            case
                when not active then 'PractitionerDeactivated'
                when version = 1 then 'PractitionerCreated'
                else 'PractitionerUpdated'
            end,
            version,
            jsonb_build_object(
                'schema', 1,
                'practitioner_id', id,
                'tenant_id', tenant_id,
                'profile_version', version
            )
        from changed
    )
    select
        case
            when changed.version = 1 then 'created'
            when changed.version > 1 then 'updated'
            when known.tenant_id is distinct from incoming.tenant_id then 'of-another-tenant'
            when known.zone_in_use then 'zone-in-use'
            else 'unchanged'
        end as saved
    from incoming
    left join changed using (id)
    left join known using (id)
    order by incoming.line";
