//! One practitioner over HTTP.

use std::collections::BTreeMap;

use jiff::civil::Date;
use praxis_domain::mask::Mask;
use praxis_domain::practitioner::{Editor, PRACTITIONER_BYTES_MAX, Practitioner, WEEKDAYS};
use praxis_domain::schedule;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response::{self, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

use crate::directory::{self, NOT_KEPT, Saved, ZONE_IN_USE};
use crate::{editor, places, stranded};

/// `GET /v1/practitioners/{id}`: what everybody may know; no e-mail address, no phone number.
/// Those who are not active any more are shown too, for the sake of their past bookings.
pub async fn get(id: &str) -> Result<Response, Problem> {
    let id = request::id(id)?;
    let database = Database::open().await?;
    let (profile, version) = load(&database, id).await?.ok_or_else(Problem::not_found)?;
    let answer = response::json(StatusCode::OK, &profile);
    Ok(response::with(answer, "etag", &response::etag(version)))
}

/// `PUT /v1/practitioners/{id}`: the whole practitioner. `201` for a new one. Another tenant's
/// answers `404` to staff. The answer names the bookings that have no place in the new hours. `412` where
/// the profile has changed since the version in `If-Match`, if one is sent.
pub async fn put(request: Request, id: &str) -> Result<Response, Problem> {
    let id = request::id(id)?;
    let editor = editor(&request.claims()?)?;
    let seen = request.if_match_if_sent()?;
    let database = Database::open_for(request.traceparent()).await?;
    // Before the body is looked at: it would tell whether the practitioner is there.
    if is_of_another_tenant(&database, id, &editor).await? {
        return Err(Problem::not_found());
    }
    let body = request.bytes(PRACTITIONER_BYTES_MAX).await?;
    let practitioner = Practitioner::parse(&body, Some(id), &editor).map_err(Problem::invalid)?;
    let status = match directory::save_one(&database, &practitioner, seen).await? {
        Saved::Created => StatusCode::CREATED,
        Saved::Updated | Saved::Unchanged => StatusCode::OK,
        Saved::SubjectTaken => {
            return Err(Problem::field(
                "/subject",
                "belongs to another practitioner",
            ));
        }
        Saved::ZoneInUse => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "/problems/time-zone-in-use",
                "The time zone can't change now",
                ZONE_IN_USE,
            )
            .at("/time_zone"));
        }
        Saved::PersonOfAnotherTenant => {
            return Err(Problem::field("/person_id", places::OF_ANOTHER_TENANT));
        }
        Saved::TooManyPlaces => return Err(Problem::field("/person_id", places::too_many())),
        Saved::BookedTwice => {
            let person = practitioner.person.unwrap_or_default();
            return Err(places::booked_twice(&database, id, person).await);
        }
        Saved::NotKept => return Err(Problem::bad_request(NOT_KEPT)),
        Saved::Changed(version) => return Err(Problem::version_conflict(version)),
        Saved::OfAnotherTenant => {
            return Err(match editor {
                Editor::Operator => Problem::field("/tenant", "cannot be changed"),
                Editor::Staff { .. } => Problem::not_found(),
            });
        }
    };
    let (mut profile, version) = load(&database, id).await?.ok_or_else(Problem::not_found)?;
    let stranded = stranded::of(&database, id).await?;
    profile["stranded_bookings"] = json!(stranded.page(None));
    let answer = response::json(status, &profile);
    let answer = response::with(answer, "etag", &response::etag(version));
    Ok(match status {
        StatusCode::CREATED => {
            response::with(answer, "location", &format!("/v1/practitioners/{id}"))
        }
        _ => answer,
    })
}

/// Whether the practitioner is there, but not for this staff to see. Operators see all.
async fn is_of_another_tenant(
    database: &Database,
    id: Uuid,
    editor: &Editor,
) -> Result<bool, Problem> {
    const TENANT: &str = "
        select tenant_id
        from practitioners
        where id = $1::uuid";
    if *editor == Editor::Operator {
        return Ok(false);
    }
    let row = database.row(TENANT, vec![database::uuid(id)]).await?;
    let tenant: Option<String> = row.map(|row| row.get("tenant_id")).transpose()?;
    Ok(tenant.is_some_and(|tenant| !editor.may_edit(&tenant)))
}

/// `DELETE /v1/practitioners/{id}`: nobody can book them any more. Bookings stay: where some are to come
/// the answer is `200` and names them, else `204`. Once more, it changes nothing. `If-Match` as with
/// `PUT`.
pub async fn delete(request: &Request, id: &str) -> Result<Response, Problem> {
    const DEACTIVATE: &str = "
        with target as (
            select id, profile_version, ($3::bigint is null or profile_version = $3) as is_as_seen
            from practitioners
            where id = $1::uuid
                and ($2::text is null or tenant_id = $2)
            for no key update
        ),
        changed as (
            update practitioners set
                active = false,
                version = version + 1,
                profile_version = version + 1,
                updated_at = now()
            from target
            where practitioners.id = target.id
                and target.is_as_seen
                and active
            returning practitioners.id, tenant_id, version
        ),
        events as (
            insert into outbox (topic, key, kind, stream_version, data, traceparent)
            select
                'practitioner-events',
                id::text,
                'PractitionerDeactivated',
                version,
                jsonb_build_object(
                    'schema', 1,
                    'practitioner_id', id,
                    'tenant_id', tenant_id,
                    'profile_version', version
                ),
                $4::text
            from changed
        )
        select profile_version, is_as_seen
        from target";
    let id = request::id(id)?;
    let seen = request.if_match_if_sent()?;
    let tenant = match editor(&request.claims()?)? {
        Editor::Operator => None,
        Editor::Staff { tenant } => Some(tenant),
    };
    let database = Database::open_for(request.traceparent()).await?;
    let parameters = vec![
        database::uuid(id),
        database::optional(tenant, database::text),
        database::optional(seen, ParameterValue::Int64),
        database.trace(),
    ];
    let found = database.row(DEACTIVATE, parameters).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    if found.get("is_as_seen")? {
        let stranded = stranded::of(&database, id).await?;
        if stranded.is_empty() {
            return Ok(response::no_content());
        }
        let told = json!({ "stranded_bookings": stranded.page(None) });
        Ok(response::json(StatusCode::OK, &told))
    } else {
        Err(Problem::version_conflict(found.get("profile_version")?))
    }
}

/// The profile, and its version.
async fn load(database: &Database, id: Uuid) -> Result<Option<(Value, i64)>, Problem> {
    const PROFILE: &str = "
        select
            tenant_id,
            name,
            specialty,
            practice,
            address,
            city,
            country::text as country,
            lat,
            lon,
            time_zone,
            rating,
            to_jsonb(languages) as languages,
            telehealth,
            locale,
            active,
            profile_version,
            to_jsonb(week) as week,
            lead_minutes,
            horizon_days,
            to_jsonb(holidays) as holidays,
            (
                select coalesce(
                    jsonb_agg(jsonb_build_object('from', lower(away), 'until', upper(away) - 1)),
                    '[]'
                )
                from unnest(leave) as away
            ) as leave,
            (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'valid_from', valid_from,
                            'valid_until', nullif(valid_until, 'infinity'),
                            'week', week
                        )
                        order by valid_from
                    ),
                    '[]'
                )
                from schedule_periods
                where practitioner_id = practitioners.id
            ) as periods,
            coalesce(
                (
                    select jsonb_object_agg(local_date::text, mask)
                    from schedule_exceptions
                    where practitioner_id = practitioners.id
                ),
                '{}'
            ) as exceptions,
            person_id::text as person_id,
            case when person_id is null then '[]'::jsonb else (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'practitioner_id', other.id,
                            'practice', other.practice,
                            'address', other.address,
                            'city', other.city,
                            'country', other.country,
                            'location', jsonb_build_object('lat', other.lat, 'lon', other.lon),
                            'time_zone', other.time_zone
                        )
                        order by other.id
                    ),
                    '[]'
                )
                from practitioners other
                where other.person_id = practitioners.person_id
                    and other.id <> practitioners.id
                    and other.active
            ) end as locations
        from practitioners
        where id = $1::uuid";
    let row = database.row(PROFILE, vec![database::uuid(id)]).await?;
    let read =
        |row: Row| Ok::<_, database::Error>((profile(id, &row)?, row.get("profile_version")?));
    Ok(row.map(read).transpose()?)
}

fn profile(id: Uuid, row: &Row) -> Result<Value, database::Error> {
    let text = |column| row.get::<String>(column);
    let number = |column| row.get::<f64>(column);
    let rating = Some(number("rating")?).filter(|rating| *rating > 0.0);
    Ok(json!({
        "practitioner_id": id,
        "tenant": text("tenant_id")?,
        "person_id": row.get::<Option<String>>("person_id")?,
        "locations": row.json::<Value>("locations")?,
        "name": text("name")?,
        "specialty": text("specialty")?,
        "practice": text("practice")?,
        "address": text("address")?,
        "city": text("city")?,
        "country": text("country")?,
        "location": { "lat": number("lat")?, "lon": number("lon")? },
        "time_zone": text("time_zone")?,
        "rating": rating,
        "languages": row.json::<Value>("languages")?,
        "telehealth": row.get::<bool>("telehealth")?,
        "locale": text("locale")?,
        "active": row.get::<bool>("active")?,
        "hours": hours(&row.json::<Vec<i32>>("week")?)?,
        "periods": periods(row.json("periods")?)?,
        "holidays": row.json::<Value>("holidays")?,
        "exceptions": exceptions(row.json("exceptions")?)?,
        "leave": row.json::<Value>("leave")?,
        "lead_minutes": row.get::<i32>("lead_minutes")?,
        "horizon_days": row.get::<i32>("horizon_days")?,
    }))
}

#[derive(Deserialize)]
struct Period {
    valid_from: Date,
    valid_until: Option<Date>,
    week: Vec<i32>,
}

fn periods(periods: Vec<Period>) -> Result<Value, database::Error> {
    let told = |period: Period| {
        let mut told = json!({
            "valid_from": period.valid_from,
            "hours": hours(&period.week)?,
        });
        // Left out, as in what may be put here.
        if let Some(until) = period.valid_until {
            told["valid_until"] = json!(until);
        }
        Ok(told)
    };
    periods.into_iter().map(told).collect()
}

fn hours(week: &[i32]) -> Result<Value, database::Error> {
    let week = schedule::week_from_bits(week)
        .ok_or_else(|| database::Error::Broken("column week is no week".into()))?;
    let days = WEEKDAYS.iter().zip(week);
    let days = days.filter(|(_, mask)| !mask.is_empty());
    Ok(days
        .map(|(day, mask)| ((*day).to_owned(), hours_of(mask)))
        .collect::<Map<_, _>>()
        .into())
}

fn exceptions(masks: BTreeMap<Date, u32>) -> Result<Value, database::Error> {
    let mut dates = Map::new();
    for (date, bits) in masks {
        let mask = Mask::from_bits(bits)
            .ok_or_else(|| database::Error::Broken(format!("the hours of {date} are no mask")))?;
        dates.insert(date.to_string(), hours_of(mask));
    }
    Ok(dates.into())
}

fn hours_of(mask: Mask) -> Value {
    json!(mask.hours().collect::<Vec<_>>())
}
