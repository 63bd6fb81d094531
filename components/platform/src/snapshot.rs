//! A practitioner's schedule and bookings at one moment, read in one statement: what is decided
//! from it is decided from one version of the stream.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::calendar::{self, Day};
use praxis_domain::elsewhere;
use praxis_domain::mask::Mask;
use praxis_domain::schedule::{self, Period, Schedule, Span, Spans};
use praxis_domain::slot::Slot;
use praxis_domain::terms::{self, Terms};
use praxis_domain::zone::Zone;
use serde::Deserialize;
use uuid::Uuid;

use crate::database::{self, Database, ParameterValue, Row};

/// $1 practitioner; $2 and $3 the first and the last local date. No row: there is none of this id.
pub const SNAPSHOT: &str = "
select
    p.version, p.profile_version, p.active, p.tenant_id, p.subject, p.time_zone, p.week,
    p.lead_minutes, p.horizon_days, p.person_id::text as person_id,
    to_jsonb(p.holidays) as holidays,
    (
        select coalesce(
            jsonb_agg(jsonb_build_object('from', lower(away), 'until', upper(away) - 1)), '[]'
        )
        from unnest(p.leave) as away
    ) as leave,
    (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'valid_from', w.valid_from,
                    'valid_until', nullif(w.valid_until, 'infinity'),
                    'week', w.week
                )
                order by w.valid_from
            ),
            '[]'
        )
        from schedule_periods w
        where w.practitioner_id = p.id
    ) as periods,
    (
        select coalesce(jsonb_object_agg(e.local_date, e.mask), '{}')
        from schedule_exceptions e
        where e.practitioner_id = p.id
            and e.local_date between $2::date and $3::date
    ) as exceptions,
    (
        select coalesce(jsonb_object_agg(d.local_date, d.mask), '{}')
        from (
            select b.local_date, bit_or(1 << b.local_hour) as mask
            from bookings b
            where b.practitioner_id = p.id
                -- The index is by instant; a zone is a day away from UTC at most.
                and b.slot_start between $2::date - 1 and $3::date + 2
                and b.local_date between $2::date and $3::date
                -- A hold that has run out takes no slot, whether it is marked yet or not.
                and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
            group by b.local_date
        ) as d
    ) as booked,
    -- What the person has at other places, as seconds: which local hours that takes is not for SQL to
    -- say. Null for whoever works at one place.
    case when p.person_id is not null then (
        select coalesce(jsonb_agg(extract(epoch from b.slot_start)::bigint), '[]')
        from bookings b
        where b.person_id = p.person_id
            and b.practitioner_id <> p.id
            and b.status in ('held', 'confirmed')
            and slot_hour(b.slot_start) && tstzrange($2::date - 1, $3::date + 2)
            and (b.status = 'confirmed' or b.hold_expires_at > now())
    ) end as elsewhere
from practitioners p
where p.id = $1::uuid
";

/// How `SNAPSHOT` names its one practitioner.
const ONE: &str = "where p.id = $1::uuid";

/// What is known of a practitioner's time between two local dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream version that this is.
    pub version: i64,
    /// The stream version at which the profile or the schedule changed last.
    pub profile_version: i64,
    pub active: bool,
    pub tenant_id: String,
    /// Who they are, where they work at several places.
    pub person: Option<Uuid>,
    /// The `sub` of the practitioner's own token.
    pub subject: Option<String>,
    pub schedule: Schedule,
    /// Only dates within the range. What the person has at other places is booked here too.
    pub booked: BTreeMap<Date, Mask>,
}

impl Snapshot {
    /// Loads the days from `from` to `to`. None: there is no such practitioner.
    pub async fn load(
        database: &Database,
        practitioner: Uuid,
        from: Date,
        to: Date,
    ) -> Result<Option<Self>, database::Error> {
        let parameters = vec![
            database::uuid(practitioner),
            database::date(from),
            database::date(to),
        ];
        let row = database.row(SNAPSHOT, parameters).await?;
        row.as_ref().map(|row| read(row, from, to)).transpose()
    }

    /// Loads the practitioners of a range of ids, those behind `after` and up to `until`, `limit` of them at
    /// most: each at one moment, and all of them in one statement.
    pub async fn load_range(
        database: &Database,
        (after, until): (Option<Uuid>, Option<Uuid>),
        limit: u32,
        (from, to): (Date, Date),
    ) -> Result<Vec<(Uuid, Self)>, database::Error> {
        // One text, so that nobody is read in two ways. Not "or $1 is null": a plan for both is a walk
        // from the first id on.
        let behind = if after.is_some() {
            "p.id > $1::uuid"
        } else {
            "$1::uuid is null"
        };
        let these =
            format!("where {behind}\n    and p.id <= $4::uuid\norder by p.id\nlimit $5::int");
        let parameters = vec![
            database::optional(after, database::uuid),
            database::date(from),
            database::date(to),
            database::uuid(until.unwrap_or(Uuid::max())),
            ParameterValue::Int32(i32::try_from(limit).unwrap_or(i32::MAX)),
        ];
        several(database, &these, parameters, (from, to)).await
    }

    /// Loads these practitioners, as far as they are there: each at one moment, and all of them in one
    /// statement.
    pub async fn load_several(
        database: &Database,
        practitioners: &[Uuid],
        (from, to): (Date, Date),
    ) -> Result<Vec<(Uuid, Self)>, database::Error> {
        let ids = practitioners.iter().map(|id| Some(id.to_string()));
        let parameters = vec![
            ParameterValue::ArrayStr(ids.collect()),
            database::date(from),
            database::date(to),
        ];
        let these = "where p.id = any ($1::text[]::uuid[])";
        several(database, these, parameters, (from, to)).await
    }

    /// Loads every day that can be booked at `now`, wherever the practitioner is.
    pub async fn load_bookable(
        database: &Database,
        practitioner: Uuid,
        now: Timestamp,
    ) -> Result<Option<Self>, database::Error> {
        let (from, to) = terms::dates_of_anybody(now);
        Self::load(database, practitioner, from, to).await
    }

    pub fn zone(&self) -> &Zone {
        &self.schedule.zone
    }

    /// The days of a range within the one that was loaded.
    pub fn days(&self, from: Date, to: Date) -> Vec<Day> {
        calendar::days(&self.schedule, &self.booked, from, to)
    }

    /// The next slots that can be booked, `limit` at most; none of an inactive practitioner.
    /// Needs what `load_bookable` loads.
    pub fn next_free(&self, now: Timestamp, limit: usize) -> Vec<Slot> {
        if !self.active {
            return Vec::new();
        }
        let (zone, terms) = (self.zone(), self.schedule.terms);
        let (from, to) = terms.dates(zone, now);
        let days = calendar::each_day(&self.schedule, &self.booked, from, to);
        calendar::next_free(days, zone, terms, now, limit)
    }

    pub fn is_booked(&self, slot: &Slot) -> bool {
        let booked = self.booked.get(&slot.date());
        booked.is_some_and(|mask| mask.contains(slot.hour()))
    }
}

/// `SNAPSHOT` of several, which `these` names.
async fn several(
    database: &Database,
    these: &str,
    parameters: Vec<ParameterValue>,
    (from, to): (Date, Date),
) -> Result<Vec<(Uuid, Snapshot)>, database::Error> {
    let statement = SNAPSHOT
        .replacen("select\n", "select\n    p.id::text as id,\n", 1)
        .replace(ONE, these);
    let rows = database.rows(&statement, parameters).await?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.parse("id")?, read(row, from, to)?)));
    rows.collect()
}

fn read(row: &Row, from: Date, to: Date) -> Result<Snapshot, database::Error> {
    let odd = |what: &str| database::Error::Broken(format!("the practitioner's {what} is odd"));
    let zone: String = row.get("time_zone")?;
    let week: Vec<Option<i32>> = row.get("week")?;
    let week: Vec<i32> = week.into_iter().flatten().collect();
    let zone = Zone::parse(&zone).map_err(|_| odd("time zone"))?;
    let mut booked = masks(row.json("booked")?).ok_or_else(|| odd("booked hours"))?;
    for start in row
        .optional_json::<Vec<i64>>("elsewhere")?
        .unwrap_or_default()
    {
        let start = Timestamp::from_second(start).map_err(|_| odd("booking elsewhere"))?;
        let slots = elsewhere::slots(start, &zone);
        for slot in slots.filter(|slot| (from..=to).contains(&slot.date())) {
            let mask = booked.entry(slot.date()).or_default();
            *mask = mask.with(slot.hour());
        }
    }
    let person: Option<String> = row.get("person_id")?;
    let person = person.map(|id| id.parse()).transpose();
    Ok(Snapshot {
        version: row.get("version")?,
        profile_version: row.get("profile_version")?,
        active: row.get("active")?,
        tenant_id: row.get("tenant_id")?,
        person: person.map_err(|_| odd("person"))?,
        subject: row.get("subject")?,
        schedule: Schedule {
            zone,
            week: schedule::week_from_bits(&week).ok_or_else(|| odd("week"))?,
            periods: periods(row.json("periods")?).ok_or_else(|| odd("periods"))?,
            holidays: row.json("holidays")?,
            exceptions: masks(row.json("exceptions")?).ok_or_else(|| odd("exceptions"))?,
            leave: Spans::of(row.json::<Vec<Span>>("leave")?),
            terms: Terms::new(row.get("lead_minutes")?, row.get("horizon_days")?)
                .map_err(|_| odd("terms"))?,
        },
        booked,
    })
}

#[derive(Deserialize)]
struct PeriodRow {
    valid_from: Date,
    valid_until: Option<Date>,
    week: Vec<i32>,
}

fn periods(rows: Vec<PeriodRow>) -> Option<Vec<Period>> {
    rows.into_iter()
        .map(|row| {
            Some(Period {
                valid_from: row.valid_from,
                valid_until: row.valid_until,
                week: schedule::week_from_bits(&row.week)?,
            })
        })
        .collect()
}

fn masks(bits: BTreeMap<Date, u32>) -> Option<BTreeMap<Date, Mask>> {
    bits.into_iter()
        .map(|(date, bits)| Some((date, Mask::from_bits(bits)?)))
        .collect()
}
