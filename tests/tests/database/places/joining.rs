//! A practitioner becomes one of a person's places, or is none any more: the statements of the practitioner
//! component.

use futures::future::join_all;
use praxis_tests::directory::fresh_id;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::clinic::{AT_ONE_PLACE, BY, Clinic, LONDON, Place};
use super::{FREED, TAKEN};
use crate::meeting::meet;
use crate::practice::{End, NO_TRACE, Practice, run, why};

const LOCK: &str = include_str!("../../../../components/practitioner/src/lock.sql");
const GIVE_WAY: &str = include_str!("../../../../components/practitioner/src/give_way.sql");
const FOLLOW: &str = include_str!("../../../../components/practitioner/src/follow.sql");

const PLACES_MAX: usize = praxis_domain::elsewhere::PLACES_MAX;

impl Clinic {
    /// As the component saves it, but for the rest of the profile. False: something came in between.
    pub async fn save(&self, place: Place, person: Option<Uuid>) -> Result<bool, String> {
        let mut change = self.practice.pool.begin().await.unwrap();
        let saved = try_save(&mut change, place, person).await;
        let ended = match saved {
            Ok(true) => change.commit().await,
            Ok(false) | Err(_) => change.rollback().await,
        };
        ended.map_err(|error| why(&error))?;
        saved
    }
}

async fn try_save(
    change: &mut PgConnection,
    place: Place,
    person: Option<Uuid>,
) -> Result<bool, String> {
    let ids = vec![place.id.to_string()];
    let persons: Vec<String> = person.iter().map(Uuid::to_string).collect();
    let locked = sqlx::query(LOCK)
        .bind(&ids)
        .bind(&persons)
        .fetch_all(&mut *change)
        .await
        .map_err(|error| why(&error))?;
    if locked.iter().any(|row| !row.get::<bool, _>("is_in_turn")) {
        return Ok(false);
    }
    sqlx::query(
        "with changed as (
                update practitioners
                set person_id = $2, version = version + 1, profile_version = version + 1
                where id = $1
                returning id, version
            )
            insert into outbox (topic, key, kind, stream_version, data)
            select 'practitioner-events', id::text, 'PractitionerUpdated', version, '{}'
            from changed",
    )
    .bind(place.id)
    .bind(person)
    .execute(&mut *change)
    .await
    .map_err(|error| why(&error))?;
    for statement in [
        sqlx::query(GIVE_WAY).bind(&ids).bind(NO_TRACE),
        sqlx::query(FOLLOW).bind(&ids),
    ] {
        let row = statement.fetch_one(&mut *change).await;
        let row = row.map_err(|error| why(&error))?;
        if !row.get::<bool, _>("is_complete") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[tokio::test]
async fn bookings_go_with_their_practitioner_and_overlapping_ones_do_not() {
    let clinic = Clinic::open(1, 2, 4).await;
    let (person, [berlin, kolkata, london]) = clinic.persons[0];
    assert_eq!(clinic.save(london, None).await, Ok(true));
    let booked = clinic.book(berlin, 0, 9).await.done();
    // Nobody of the person's any more: they may be booked for the same hour.
    let overlapping = clinic.book(london, 1, 8).await.done();
    let other = clinic.book(london, 1, 11).await.done();
    let before = clinic.practice.announced(kolkata.id).await;

    assert_eq!(
        clinic.save(london, Some(person)).await,
        Err(AT_ONE_PLACE.to_owned())
    );
    assert_eq!(clinic.practice.announced(kolkata.id).await, before);
    clinic.book(kolkata, 0, 16).await.done();
    let booked_there = clinic.practice.announced(kolkata.id).await.len();

    clinic.practice.cancel(&overlapping, BY).await.done();
    // 16:30 to 17:30 there.
    assert_eq!(
        clinic.save(london, Some(person)).await,
        Err(AT_ONE_PLACE.to_owned())
    );
    run(
        &clinic.practice.pool,
        "update bookings set status = 'cancelled', version = version + 1
        where local_hour = 16 and status = 'confirmed'",
    )
    .await;
    assert_eq!(clinic.save(london, Some(person)).await, Ok(true));
    let told = clinic.practice.announced(kolkata.id).await;
    assert_eq!(told[booked_there..], [TAKEN]);
    clinic.book(kolkata, 0, 16).await.refused_by(AT_ONE_PLACE);
    clinic.book(london, 0, 8).await.refused_by(AT_ONE_PLACE);
    // No change of the booking, which a link in a mail names with its version.
    let found = clinic.practice.find(other.id).await;
    assert_eq!((found.version, found.status.as_str()), (1, "confirmed"));
    let changes: i64 =
        sqlx::query_scalar("select count(*) from booking_history where booking_id = $1")
            .bind(other.id)
            .fetch_one(&clinic.practice.pool)
            .await
            .unwrap();
    assert_eq!(changes, 1);

    assert_eq!(clinic.save(berlin, None).await, Ok(true));
    let told = clinic.practice.announced(kolkata.id).await;
    assert_eq!(told[booked_there..], [TAKEN, FREED]);
    clinic.book(kolkata, 0, 13).await.done();
    clinic.practice.cancel(&booked, BY).await.done();
    let told = clinic.practice.announced(kolkata.id).await;
    assert_eq!(told[booked_there..], [TAKEN, FREED, "BookingCreated"]);
}

#[tokio::test]
async fn a_hold_that_has_run_out_gives_way_to_a_place_that_joins() {
    let clinic = Clinic::open(1, 2, 4).await;
    let (person, [berlin, kolkata, london]) = clinic.persons[0];
    let refused = Err(AT_ONE_PLACE.to_owned());
    assert_eq!(clinic.save(london, None).await, Ok(true));

    // The person's own is in the way: as long as it lives, it stays.
    let held = clinic.hold(berlin, 0, 9, 60).await.done();
    let booked = clinic.book(london, 1, 8).await.done();
    assert_eq!(clinic.save(london, Some(person)).await, refused);
    clinic.practice.let_run_out(held.id).await;
    let before = clinic.practice.announced(kolkata.id).await.len();
    assert_eq!(clinic.save(london, Some(person)).await, Ok(true));
    assert_eq!(clinic.practice.find(held.id).await.status, "expired");
    let told = clinic.practice.announced(berlin.id).await;
    assert_eq!(told[told.len() - 2..], ["HoldExpired", TAKEN]);
    let told = clinic.practice.announced(kolkata.id).await;
    assert_eq!(told[before..], [FREED, TAKEN]);
    clinic.is_in_order().await;

    // Or that which the practitioner would bring along; two of them, even.
    clinic.practice.cancel(&booked, BY).await.done();
    assert_eq!(clinic.save(london, None).await, Ok(true));
    let booked = clinic.book(berlin, 0, 9).await.done();
    let brought = [
        clinic.hold(london, 1, 8, 60).await.done(),
        clinic.hold(london, 1, 10, 60).await.done(),
    ];
    for hold in &brought {
        clinic.practice.let_run_out(hold.id).await;
    }
    assert_eq!(clinic.save(london, Some(person)).await, Ok(true));
    for hold in &brought {
        assert_eq!(clinic.practice.find(hold.id).await.status, "expired");
    }
    let told = clinic.practice.announced(london.id).await;
    assert_eq!(told[told.len() - 2..], ["HoldExpired", "HoldExpired"]);
    let (status, version) = {
        let found = clinic.practice.find(booked.id).await;
        (found.status, found.version)
    };
    assert_eq!((status.as_str(), version), ("confirmed", 1));
    clinic.is_in_order().await;
}

/// Somebody has the hold at this moment, perhaps to extend it: it is decided again.
#[tokio::test]
async fn a_hold_that_somebody_changes_is_not_waited_for() {
    let clinic = Clinic::open(1, 2, 4).await;
    let (person, [berlin, _, london]) = clinic.persons[0];
    assert_eq!(clinic.save(london, None).await, Ok(true));
    let held = clinic.hold(berlin, 0, 9, 60).await.done();
    clinic.practice.let_run_out(held.id).await;
    clinic.book(london, 1, 8).await.done();
    let mut busy = clinic.practice.pool.begin().await.unwrap();
    sqlx::query("select from bookings where id = $1 for update")
        .bind(held.id)
        .execute(&mut *busy)
        .await
        .unwrap();
    assert_eq!(clinic.save(london, Some(person)).await, Ok(false));
    busy.rollback().await.unwrap();
    assert_eq!(clinic.save(london, Some(person)).await, Ok(true));
    assert_eq!(clinic.practice.find(held.id).await.status, "expired");
    clinic.is_in_order().await;
}

/// Who has decided before their practitioner became a place of the person's decides again: they have not the
/// turn, and wait for nobody who has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_meets_a_practitioner_who_joins_is_decided_again() {
    let clinic = Clinic::open(1, 2, 8).await;
    let (person, [_, _, london]) = clinic.persons[0];
    assert_eq!(clinic.save(london, None).await, Ok(true));
    let booked = clinic.book(london, 0, 9).await.done();
    let joins = async |early: &Practice| {
        let mut change = early.pool.acquire().await.unwrap();
        assert_eq!(try_save(&mut change, london, Some(person)).await, Ok(true));
    };
    let cancels = async |late: &Practice| late.cancel(&booked, BY).await;
    let end = meet(&clinic.practice, joins, "commit", cancels).await;
    assert!(matches!(end, End::NotApplied), "{end:?}");
    clinic.practice.cancel(&booked, BY).await.done();

    assert_eq!(clinic.save(london, None).await, Ok(true));
    let wish = clinic.wish(london, 1, 10);
    let books = async |late: &Practice| late.book_at_once(wish).await;
    let end = meet(&clinic.practice, joins, "commit", books).await;
    end.refused_by("40001");
    clinic.book(london, 1, 10).await.done();
    clinic.is_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_has_ten_places_also_if_more_come_at_once() {
    let clinic = Clinic::open(0, 0, 16).await;
    let mut places = Vec::new();
    for _ in 0..PLACES_MAX + 4 {
        let id = clinic.practice.employ(LONDON.0).await;
        places.push(Place { id, zone: LONDON });
    }
    let person = fresh_id();
    let ends = join_all(places.iter().map(|place| clinic.save(*place, Some(person)))).await;
    let refused = Err("practitioners_places_of_person".to_owned());
    assert_eq!(ends.iter().filter(|end| **end == refused).count(), 4);
    let made = ends.iter().filter(|end| **end == Ok(true));
    assert_eq!(made.count(), PLACES_MAX, "{ends:?}");
    // Whoever gives one up makes room for another.
    let (first, last) = (
        ends.iter().position(|end| *end == Ok(true)).unwrap(),
        ends.iter().position(|end| *end == refused).unwrap(),
    );
    assert_eq!(clinic.save(places[first], None).await, Ok(true));
    assert_eq!(clinic.save(places[last], Some(person)).await, Ok(true));
}

#[tokio::test]
async fn a_person_is_of_one_tenant() {
    let clinic = Clinic::open(1, 0, 4).await;
    let (person, _) = clinic.persons[0];
    let other = clinic.practice.employ(LONDON.0).await;
    run(
        &clinic.practice.pool,
        "insert into tenants (id, name) values ('north', 'North')",
    )
    .await;
    sqlx::query("update practitioners set tenant_id = 'north' where id = $1")
        .bind(other)
        .execute(&clinic.practice.pool)
        .await
        .unwrap();
    let place = Place {
        id: other,
        zone: LONDON,
    };
    let refused = Err("practitioners_person_of_one_tenant".to_owned());
    assert_eq!(clinic.save(place, Some(person)).await, refused);
    assert_eq!(clinic.save(place, Some(fresh_id())).await, Ok(true));
}
