//! Practitioners in the database. Every change takes the next stream version and appends its
//! event to the outbox, in the statement that makes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use praxis_domain::mask::Mask;
use praxis_domain::patience::Patience;
use praxis_domain::practitioner::{Language, Practitioner};
use praxis_domain::schedule::{Period, Spans, Week};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::zones;
use serde::Serialize;
use uuid::Uuid;

use crate::places;

/// How often the change of one profile gives way to others before it gives up, and whoever sent it tries
/// again.
const TRIES_MAX: u32 = 4;

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
    /// Its `person_id` is another tenant's. Nothing was changed.
    PersonOfAnotherTenant,
    /// The person has as many places as they may. Nothing was changed.
    TooManyPlaces,
    /// What is booked there and at the person's other places overlaps. Nothing was changed.
    BookedTwice,
    /// The database can't keep a value of it. Nothing was changed.
    NotKept,
    /// It is not any more what the editor had seen: its profile has this version now, 0 where it is not
    /// there at all. Nothing was changed.
    Changed(i64),
}

/// Saves one, if its profile has still the version that the editor had seen, where they say which.
pub async fn save_one(
    database: &Database,
    one: &Practitioner,
    seen: Option<i64>,
) -> Result<Saved, database::Error> {
    // Not where the database is away: whoever sent it is told so at once.
    let gave_way = |error: &_| matches!(error, database::Error::Contention);
    let mut patience = Patience::of(TRIES_MAX);
    let save = async || try_save_all(database, &[one], seen).await;
    match patiently(&mut patience, gave_way, save).await {
        Ok(saved) => Ok(saved[0]),
        Err(error) => blame(error),
    }
}

/// Saves practitioners, whose ids must differ; the answer has one outcome each, in order. With an error it
/// is not known that one is saved. Where others change the same or the database is away, it is tried again
/// as long as patience lasts.
pub async fn save(
    database: &Database,
    practitioners: &[&Practitioner],
    patience: &mut Patience,
) -> Vec<Result<Saved, database::Error>> {
    if practitioners.is_empty() {
        return Vec::new();
    }
    let all = async || try_save_all(database, practitioners, None).await;
    let error = match patiently(patience, is_for_now, all).await {
        Ok(saved) => return saved.into_iter().map(Ok).collect(),
        Err(error) => error,
    };
    if !is_of_one(&error) {
        return vec![Err(error); practitioners.len()];
    }
    // One of them is to blame: the others must not suffer.
    let mut saved = Vec::with_capacity(practitioners.len());
    for practitioner in practitioners {
        let alone = async || try_save_all(database, &[*practitioner], None).await;
        let outcome = match patiently(patience, is_for_now, alone).await {
            Ok(saved) => Ok(saved[0]),
            Err(error) => blame(error),
        };
        let is_away = outcome == Err(database::Error::Unavailable);
        saved.push(outcome);
        if is_away {
            break;
        }
    }
    // Nobody waits for each of the others that the database is still away.
    saved.resize(practitioners.len(), Err(database::Error::Unavailable));
    saved
}

/// Runs `work` again after a pause, while it fails for a reason that passes and patience lasts.
pub async fn patiently<T>(
    patience: &mut Patience,
    passes: impl Fn(&database::Error) -> bool,
    mut work: impl AsyncFnMut() -> Result<T, database::Error>,
) -> Result<T, database::Error> {
    loop {
        match work().await {
            Err(error) if passes(&error) => match patience.pause_ms(clock::chance()) {
                Some(pause) => clock::pause(pause).await,
                None => return Err(error),
            },
            result => return result,
        }
    }
}

/// Whether the same may work a moment later.
pub fn is_for_now(error: &database::Error) -> bool {
    matches!(
        error,
        database::Error::Contention | database::Error::Unavailable
    )
}

/// What an error means for the only practitioner that was to be saved.
fn blame(error: database::Error) -> Result<Saved, database::Error> {
    match error {
        database::Error::Constraint(name) if name == "practitioners_subject_key" => {
            Ok(Saved::SubjectTaken)
        }
        database::Error::Constraint(name) if name == places::PERSON_OF_ONE_TENANT => {
            Ok(Saved::PersonOfAnotherTenant)
        }
        database::Error::Constraint(name) if name == places::PLACES_OF_PERSON => {
            Ok(Saved::TooManyPlaces)
        }
        database::Error::Constraint(name) if name == places::AT_ONE_PLACE => Ok(Saved::BookedTwice),
        error if is_of_data(&error) => {
            eprintln!("a practitioner can't be kept: {error}");
            Ok(Saved::NotKept)
        }
        error => Err(error),
    }
}

/// Whether one of several practitioners caused it, perhaps by what others do with it.
fn is_of_one(error: &database::Error) -> bool {
    matches!(
        error,
        database::Error::Constraint(_) | database::Error::Contention
    ) || is_of_data(error)
}

/// SQLSTATE class 22, data exception: a date, a number or a text that a column can't hold. The code
/// is what `Broken` begins with.
fn is_of_data(error: &database::Error) -> bool {
    matches!(error, database::Error::Broken(cause) if cause.starts_with("22"))
}

async fn try_save_all(
    database: &Database,
    practitioners: &[&Practitioner],
    seen: Option<i64>,
) -> Result<Vec<Saved>, database::Error> {
    database.execute("begin", Vec::new()).await?;
    let saved = lock_and_upsert(database, practitioners, seen).await;
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
    seen: Option<i64>,
) -> Result<Vec<Saved>, database::Error> {
    // Not one by one, and in one order: two imports of the same file do not block each other.
    // The statement after it sees what others changed until then. Before them, the turns of those who
    // work at several places.
    const LOCK: &str = include_str!("lock.sql");
    let ids = practitioners.iter().map(|one| Some(one.id.to_string()));
    let ids = ParameterValue::ArrayStr(ids.collect());
    let persons = practitioners.iter().filter_map(|one| one.person);
    let persons: Vec<_> = persons.map(|person| Some(person.to_string())).collect();
    let mut are_shared = !persons.is_empty();
    let parameters = vec![ids.clone(), ParameterValue::ArrayStr(persons)];
    for locked in database.rows(LOCK, parameters).await? {
        if !locked.get::<bool>("is_in_turn")? {
            return Err(database::Error::Contention);
        }
        are_shared |= locked.get::<bool>("is_shared")?;
    }
    let rows: Vec<Row> = practitioners
        .iter()
        .enumerate()
        .map(|(line, one)| Row::new(line, one))
        .collect();
    // Before the practitioners are there: nobody books in a zone whose rules the database lacks.
    let zones = practitioners.iter().map(|one| &one.schedule.zone);
    zones::keep(database, zones, clock::now()).await?;
    let parameters = vec![
        database::json(&rows),
        database::optional(seen, ParameterValue::Int64),
        database.trace(),
    ];
    let saved = database.rows(UPSERT, parameters).await?;
    if are_shared {
        places::follow(database, ids).await?;
    }
    saved
        .iter()
        .map(|row| {
            Ok(match row.get::<String>("saved")?.as_str() {
                "created" => Saved::Created,
                "updated" => Saved::Updated,
                "unchanged" => Saved::Unchanged,
                "zone-in-use" => Saved::ZoneInUse,
                "changed" => Saved::Changed(row.get("profile_version")?),
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
    person_id: Option<Uuid>,
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
    languages: Vec<&'a str>,
    telehealth: bool,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    locale: &'a str,
    active: bool,
    week: Vec<u32>,
    exceptions: BTreeMap<Date, u32>,
    periods: Vec<PeriodRow>,
    holidays: &'a BTreeSet<Date>,
    /// As PostgreSQL writes a multirange.
    leave: String,
    lead_minutes: i32,
    horizon_days: i32,
}

/// A row of `schedule_periods`, as JSON; spelled as PostgreSQL does, since the two are compared.
#[derive(Serialize)]
struct PeriodRow {
    valid_from: Date,
    valid_until: String,
    week: Vec<u32>,
}

impl<'a> Row<'a> {
    fn new(line: usize, one: &'a Practitioner) -> Self {
        let schedule = &one.schedule;
        Self {
            line,
            id: one.id,
            tenant_id: &one.tenant,
            person_id: one.person,
            subject: one.subject.as_deref(),
            name: &one.name,
            specialty: one.specialty.key(),
            practice: &one.practice,
            address: &one.address,
            city: &one.city,
            country: &one.country,
            lat: one.lat,
            lon: one.lon,
            time_zone: schedule.zone.name(),
            rating: one.rating,
            languages: one.languages.iter().map(Language::as_str).collect(),
            telehealth: one.telehealth,
            email: one.email.as_deref(),
            phone: one.phone.as_deref(),
            locale: &one.locale,
            active: one.active,
            week: bits(&schedule.week),
            exceptions: schedule
                .exceptions
                .iter()
                .map(|(date, mask)| (*date, mask.bits()))
                .collect(),
            periods: schedule.periods.iter().map(PeriodRow::of).collect(),
            holidays: &schedule.holidays,
            leave: multirange(&schedule.leave),
            lead_minutes: schedule.terms.lead_minutes(),
            horizon_days: schedule.terms.horizon_days(),
        }
    }
}

impl PeriodRow {
    fn of(period: &Period) -> Self {
        let until = period.valid_until;
        Self {
            valid_from: period.valid_from,
            valid_until: until.map_or_else(|| "infinity".to_owned(), |until| until.to_string()),
            week: bits(&period.week),
        }
    }
}

fn bits(week: &Week) -> Vec<u32> {
    week.map(Mask::bits).to_vec()
}

fn multirange(spans: &Spans) -> String {
    let spans = spans.iter();
    let spans: Vec<_> = spans
        .map(|span| format!("[{},{}]", span.from(), span.until()))
        .collect();
    format!("{{{}}}", spans.join(","))
}

/// Upsert, stream version, hours and outbox, for any number of practitioners ($1). $2 the profile version
/// that all must still have, or null.
const UPSERT: &str = include_str!("upsert.sql");
