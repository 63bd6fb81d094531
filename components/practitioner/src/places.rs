//! Somebody who works at several places: one practitioner a place, all of the same `person_id`, and what
//! is booked at one takes the hour at all.

use praxis_domain::elsewhere::PLACES_MAX;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::problem::Problem;
use serde_json::{Value, json};
use spin_sdk::http::StatusCode;
use uuid::Uuid;

/// A person is known to one tenant: nothing is told of the other.
pub const PERSON_OF_ONE_TENANT: &str = "practitioners_person_of_one_tenant";
pub const PLACES_OF_PERSON: &str = "practitioners_places_of_person";
/// The gate of a person, when their bookings come together.
pub const AT_ONE_PLACE: &str = "bookings_at_one_place";

pub const OF_ANOTHER_TENANT: &str = "can't be used: a person's places are all of one tenant";
pub const BOOKED_TWICE: &str = "can't change now: bookings at the person's places overlap";

/// How many pairs of bookings an answer names.
const NAMED_MAX: i32 = 100;

pub fn too_many() -> String {
    format!("has {PLACES_MAX} places already, which is as many as a person may have")
}

/// $1 practitioners, $2 the trace: holds that have run out are marked, each with its event, where they come
/// to the person that a practitioner is now, or where they lie in the way of what comes.
const GIVE_WAY: &str = include_str!("give_way.sql");

/// $1 practitioners: their bookings to come, and the one that goes on, become those of the person that
/// the practitioner is now.
const FOLLOW: &str = include_str!("follow.sql");

/// To be run once the practitioners are saved, in their transaction. Nobody is waited for, since the
/// practitioners are locked already, and others have a booking and wait for its practitioner. One row each:
/// whether all could be had.
pub async fn follow(database: &Database, ids: ParameterValue) -> Result<(), database::Error> {
    let had_all = async |statement, parameters| {
        let row = database.row(statement, parameters).await?;
        match row.map_or(Ok(true), |row| row.get("is_complete"))? {
            true => Ok(()),
            false => Err(database::Error::Contention),
        }
    };
    had_all(GIVE_WAY, vec![ids.clone(), database.trace()]).await?;
    had_all(FOLLOW, vec![ids]).await
}

/// 409, with the bookings that would be at the same time, at two places.
pub async fn booked_twice(database: &Database, practitioner: Uuid, person: Uuid) -> Problem {
    let pairs = match overlaps(database, practitioner, person).await {
        Ok(pairs) => pairs,
        Err(error) => return error.into(),
    };
    if pairs.is_empty() {
        // One has ended since.
        return Problem::unavailable("bookings at the person's places change now: try again");
    }
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/person-booked-twice",
        "Bookings at the person's places overlap",
        "cancel or move one of each two, then try again",
    )
    .with("bookings", pairs)
    .at("/person_id")
}

async fn overlaps(
    database: &Database,
    practitioner: Uuid,
    person: Uuid,
) -> Result<Vec<Value>, database::Error> {
    const OVERLAPS: &str = "
        with live as (
            select b.*
            from practitioners p
            join bookings b on b.practitioner_id = p.id
            where (p.id = $1::uuid or p.person_id = $2::uuid)
                and b.slot_start > now() - interval '1 hour'
                and (b.status = 'confirmed' or b.status = 'held' and b.hold_expires_at > now())
        )
        select
            a.id::text as booking_id,
            b.id::text as other_booking_id,
            b.practitioner_id::text as other_practitioner_id
        from live a
        join live b on b.practitioner_id <> a.practitioner_id
            and slot_hour(b.slot_start) && slot_hour(a.slot_start)
        where a.practitioner_id = $1::uuid
        order by a.slot_start, b.slot_start
        limit $3::int";
    let parameters = vec![
        database::uuid(practitioner),
        database::uuid(person),
        ParameterValue::Int32(NAMED_MAX),
    ];
    let rows = database.rows(OVERLAPS, parameters).await?;
    let pairs = rows.iter().map(|row| {
        let text = |column| row.get::<String>(column);
        Ok(json!({
            "booking_id": text("booking_id")?,
            "other_booking_id": text("other_booking_id")?,
            "other_practitioner_id": text("other_practitioner_id")?,
        }))
    });
    pairs.collect()
}
