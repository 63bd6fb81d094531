//! `POST /v1/bookings` with a `search`: the soonest free slot of any practitioner of a specialty
//! near a place. The index proposes, the database decides, as always.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};
use praxis_domain::anyone::{
    CANDIDATES_AT_A_TIME, CANDIDATES_MAX, Candidates, SLOTS_PER_LOOK_MAX, Step,
};
use praxis_domain::area::{Area, Window};
use praxis_domain::calendar;
use praxis_domain::search::{Around, DECAY};
use praxis_domain::slot::Slot;
use praxis_domain::terms;
use praxis_domain::zone::Zone;
use praxis_platform::clock;
use praxis_platform::database::{self, Database};
use praxis_platform::index::search::{
    Clause, DateRange, Factor, Flag, Gauss, GeoDistance, Hit, Order, Query, Terms, run,
};
use praxis_platform::index::{GeoPoint, Value};
use praxis_platform::problem::Problem;
use praxis_platform::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::actor::Actor;
use crate::book::{self, Attempt, Granted};
use crate::caller::{Caller, Once};
use crate::offer::Wanted;
use crate::record::View;
use crate::refusal;

const INDEX: &str = "practitioners";

/// Where, for what and when.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    lat: f64,
    lon: f64,
    radius_km: f64,
    specialty: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// None where something came in between, perhaps this very request, sent twice: decide again.
pub async fn book(
    database: &Database,
    caller: &Caller,
    search: &Search,
    patient: Option<Uuid>,
    once: &Once,
) -> Result<Option<View>, Problem> {
    let now = clock::now();
    let (around, window) = search.checked(now)?;
    let mut nearest = Nearest::of(query(&around, &window), window.from);
    let mut booker = Booker {
        database,
        caller,
        patient,
        window,
        now,
        seen: BTreeMap::new(),
        refused: None,
    };
    let (_, chance) = clock::new_id().as_u64_pair();
    let first = nearest.next().await?.unwrap_or_default();
    let mut candidates = Candidates::new(first, chance);
    loop {
        match candidates.next() {
            Step::Look(practitioner) => {
                let slots = booker.look(practitioner).await?;
                candidates.found(practitioner, slots);
            }
            Step::Try(practitioner, slot) => {
                let Some(granted) = booker.grant(practitioner, slot) else {
                    candidates.lost(practitioner);
                    continue;
                };
                match book::attempt(database, &granted, once).await? {
                    Attempt::Booked(answer) => return Ok(Some(answer)),
                    Attempt::Taken => candidates.lost(practitioner),
                    Attempt::Again => return Ok(None),
                }
            }
            Step::NoneFree => match nearest.next().await? {
                Some(further) => candidates.further(further),
                None => return Err(booker.refused.unwrap_or_else(refusal::none_free)),
            },
            Step::TooManyLost => {
                return Err(Problem::unavailable("many want the same now: try again"));
            }
        }
    }
}

/// Practitioners who may have a slot in the window, the nearest first, page after page.
struct Nearest {
    query: Query,
    from: Timestamp,
    asked: usize,
    /// There are no more, or as many were asked for as may be.
    is_over: bool,
}

impl Nearest {
    fn of(query: Query, from: Timestamp) -> Self {
        Self {
            query,
            from,
            asked: 0,
            is_over: false,
        }
    }

    /// The next of them, each with when they have a slot at the earliest; none if there are no more.
    async fn next(&mut self) -> Result<Option<Vec<(Uuid, Timestamp)>>, Problem> {
        if self.is_over {
            return Ok(None);
        }
        let page = run(INDEX.to_owned(), self.query.clone()).await?;
        self.asked += CANDIDATES_AT_A_TIME;
        self.is_over = page.next.is_none() || self.asked >= CANDIDATES_MAX;
        self.query.cursor = page.next;
        let candidates = page.hits.iter().filter_map(|hit| self.candidate(hit));
        Ok(Some(candidates.collect()))
    }

    fn candidate(&self, hit: &Hit) -> Option<(Uuid, Timestamp)> {
        let next = hit.fields.iter().find_map(|field| match field.value {
            Value::Date(milliseconds) if field.name == "next_available_slot" => {
                Timestamp::from_millisecond(milliseconds).ok()
            }
            // The other fields.
            _ => None,
        });
        Some((hit.id.parse().ok()?, next?.max(self.from)))
    }
}

fn query(around: &Around, window: &Window) -> Query {
    let limit = u32::try_from(CANDIDATES_AT_A_TIME).expect("a page of the index");
    let center = GeoPoint {
        lat: around.lat,
        lon: around.lon,
    };
    Query {
        filter: vec![
            Clause::Flag(Flag {
                field: "active".to_owned(),
                value: true,
            }),
            // Their next free slot may lie before the window, even in the past as long as nobody has
            // told the index, and there be others in it.
            Clause::DateRange(DateRange {
                field: "next_available_slot".to_owned(),
                from: None,
                to: Some(window.to.as_millisecond()),
            }),
            Clause::GeoDistance(GeoDistance {
                field: "location".to_owned(),
                center,
                radius_m: around.radius_m(),
            }),
            Clause::Terms(Terms {
                field: "specialty".to_owned(),
                values: around.specialty_keys(),
            }),
        ],
        score: vec![Factor::Gauss(Gauss {
            field: "location".to_owned(),
            origin: center,
            scale_m: around.scale_m(),
            decay: DECAY,
        })],
        order: Order::Score,
        facets: Vec::new(),
        limit,
        cursor: None,
        distance_from: None,
    }
}

/// Looks at practitioners for one request.
struct Booker<'a> {
    database: &'a Database,
    caller: &'a Caller,
    /// Whom the caller names.
    patient: Option<Uuid>,
    window: Window,
    now: Timestamp,
    /// Who was looked at, and for whom the caller may book there.
    seen: BTreeMap<Uuid, (Snapshot, Uuid, Actor)>,
    /// Why the caller may not book with somebody.
    refused: Option<Problem>,
}

impl Booker<'_> {
    /// The free slots of a practitioner in the window; none where the caller may not book there.
    async fn look(&mut self, practitioner: Uuid) -> Result<Vec<Slot>, Problem> {
        let snapshot = load(self.database, practitioner, &self.window, self.now).await?;
        let Some(snapshot) = snapshot.filter(|snapshot| snapshot.active) else {
            return Ok(Vec::new());
        };
        let slots = free(&snapshot, &self.window, self.now);
        if slots.is_empty() {
            return Ok(slots);
        }
        match self.books_for(&snapshot).await {
            Ok((patient, actor)) => {
                self.seen.insert(practitioner, (snapshot, patient, actor));
                Ok(slots)
            }
            Err(refused) if refused.status() == StatusCode::NOT_FOUND => {
                self.refused = Some(refused);
                Ok(Vec::new())
            }
            Err(refused) => Err(refused),
        }
    }

    async fn books_for(&self, snapshot: &Snapshot) -> Result<(Uuid, Actor), Problem> {
        // For themselves it is the same patient everywhere.
        match (self.patient, self.seen.values().next()) {
            (None, Some((_, patient, actor))) => Ok((*patient, actor.clone())),
            (named, _) => self.caller.books_for(self.database, snapshot, named).await,
        }
    }

    fn grant(&self, practitioner: Uuid, slot: Slot) -> Option<Granted> {
        let (snapshot, patient, actor) = self.seen.get(&practitioner)?;
        let snapshot = snapshot.clone();
        Some(Granted {
            wanted: Wanted::of(practitioner, snapshot, slot.start(), self.now),
            slot,
            patient: *patient,
            actor: actor.clone(),
        })
    }
}

async fn load(
    database: &Database,
    practitioner: Uuid,
    window: &Window,
    now: Timestamp,
) -> Result<Option<Snapshot>, database::Error> {
    let (first, last) = terms::dates_of_anybody(now);
    // The local date is within a day of the one in UTC.
    let from = Zone::utc().date(window.from).saturating_sub(1.day());
    let to = Zone::utc().date(window.to).saturating_add(1.day());
    let (from, to) = (from.clamp(first, last), to.clamp(first, last));
    Snapshot::load(database, practitioner, from, to).await
}

fn free(snapshot: &Snapshot, window: &Window, now: Timestamp) -> Vec<Slot> {
    let (zone, terms) = (snapshot.zone(), snapshot.schedule.terms);
    let (first, last) = terms.dates(zone, now);
    let (from, to) = (zone.date(window.from), zone.date(window.to));
    let (from, to) = (from.max(first), to.min(last));
    let days = calendar::each_day(&snapshot.schedule, &snapshot.booked, from, to);
    let slots = days.flat_map(|day| day.slots(zone, terms, now));
    slots
        .filter(|slot| window.contains(slot.start()))
        .take(SLOTS_PER_LOOK_MAX)
        .collect()
}

impl Search {
    fn checked(&self, now: Timestamp) -> Result<(Around, Window), Problem> {
        let area = Area {
            lat: self.lat,
            lon: self.lon,
            radius_km: self.radius_km,
            specialty: self.specialty.clone(),
        };
        let around = area.around("/search");
        let window = Window::parse(self.from, self.to, now, "/search");
        match (around, window) {
            (Ok(around), Ok(window)) => Ok((around, window)),
            (around, window) => {
                let errors = [around.err(), window.err()];
                Err(Problem::invalid(
                    errors.into_iter().flatten().flatten().collect(),
                ))
            }
        }
    }
}
