//! Persons who work at several places, in zones of their own.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use praxis_tests::directory::fresh_id;
use sqlx::Row as _;
use uuid::Uuid;

use crate::practice::{
    BOOK, Booked, End, HOLDS_MAX, NO_TRACE, Practice, RESCHEDULE, TENANT, Wish, with_receipt,
};

const EXPIRE_ELSEWHERE: &str =
    include_str!("../../../../components/booking/src/sql/expire_elsewhere.sql");

/// The gate of a person.
pub const AT_ONE_PLACE: &str = "bookings_at_one_place";
pub const BY: &str = "staff:desk";

/// A zone, and how many seconds its clock is ahead of UTC: the same all year, here.
pub type Clock = (&'static str, i32);
pub const BERLIN: Clock = ("Europe/Berlin", 3_600);
pub const KOLKATA: Clock = ("Asia/Kolkata", 19_800);
pub const LONDON: Clock = ("UTC", 0);
pub const CLOCKS: [Clock; 3] = [BERLIN, KOLKATA, LONDON];

#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub id: Uuid,
    pub zone: Clock,
}

pub struct Clinic {
    pub practice: Practice,
    pub persons: Vec<(Uuid, [Place; 3])>,
}

impl Clinic {
    /// Each person works at three places.
    pub async fn open(persons: usize, patients: usize, connections_max: u32) -> Self {
        let practice = Practice::open(0, patients, connections_max).await;
        for (zone, seconds) in [BERLIN, KOLKATA] {
            sqlx::query(
                "insert into zone_offsets
                    (time_zone, begins, ends, utc_offset_seconds, first_from, edition)
                values ($1, '2000-01-01Z', '2100-01-01Z', $2, '2000-01-01Z', '2026x')",
            )
            .bind(zone)
            .bind(seconds)
            .execute(&practice.pool)
            .await
            .unwrap();
        }
        let mut clinic = Self {
            practice,
            persons: Vec::new(),
        };
        for _ in 0..persons {
            let person = fresh_id();
            let mut places = Vec::new();
            for zone in CLOCKS {
                let id = clinic.practice.employ(zone.0).await;
                clinic.share(id, Some(person)).await.unwrap();
                places.push(Place { id, zone });
            }
            clinic.persons.push((person, places.try_into().unwrap()));
        }
        clinic
    }

    pub fn places(&self, person: usize) -> [Place; 3] {
        self.persons[person].1
    }

    /// By SQL, and without bookings.
    pub async fn share(&self, practitioner: Uuid, person: Option<Uuid>) -> Result<(), sqlx::Error> {
        sqlx::query("update practitioners set person_id = $2 where id = $1")
            .bind(practitioner)
            .bind(person)
            .execute(&self.practice.pool)
            .await
            .map(drop)
    }

    pub async fn deactivate(&self, place: Place) {
        sqlx::query(
            "update practitioners
            set active = false, version = version + 1, profile_version = version + 1
            where id = $1",
        )
        .bind(place.id)
        .execute(&self.practice.pool)
        .await
        .unwrap();
    }

    pub fn wish(&self, place: Place, patient: usize, hour: i32) -> Wish {
        Wish {
            practitioner: place.id,
            patient: self.practice.patients[patient],
            hour,
        }
    }

    fn date(&self) -> NaiveDate {
        self.practice.start(0).date_naive()
    }

    /// When a local hour begins.
    pub fn start(&self, place: Place, hour: i32) -> DateTime<Utc> {
        let midnight = self.practice.start(0);
        midnight + Duration::hours(hour.into()) - Duration::seconds(place.zone.1.into())
    }

    pub async fn book(&self, place: Place, patient: usize, hour: i32) -> End {
        self.insert(place, self.practice.patients[patient], hour, None)
            .await
    }

    pub async fn hold(&self, place: Place, patient: usize, hour: i32, seconds: i32) -> End {
        self.insert(place, self.practice.patients[patient], hour, Some(seconds))
            .await
    }

    /// What a booking is decided from.
    async fn profile_version(&self, place: Place) -> i64 {
        sqlx::query("select profile_version from practitioners where id = $1")
            .bind(place.id)
            .fetch_one(&self.practice.pool)
            .await
            .unwrap()
            .get(0)
    }

    pub async fn insert(
        &self,
        place: Place,
        patient: Uuid,
        hour: i32,
        hold_seconds: Option<i32>,
    ) -> End {
        let (status, kind) = match hold_seconds {
            Some(_) => ("held", "SlotHeld"),
            None => ("confirmed", "BookingCreated"),
        };
        let profile_version = self.profile_version(place).await;
        let receipt = hold_seconds.is_none().then(|| fresh_id().to_string());
        let query = sqlx::query(BOOK)
            .bind(fresh_id())
            .bind(place.id)
            .bind(TENANT)
            .bind(patient)
            .bind(self.start(place, hour).timestamp())
            .bind(self.date())
            .bind(hour)
            .bind(place.zone.0)
            .bind(status)
            .bind(hold_seconds)
            .bind(fresh_id())
            .bind(kind);
        let query = with_receipt(query, patient, receipt)
            .bind(profile_version)
            .bind(HOLDS_MAX)
            .bind(BY)
            .bind(NO_TRACE);
        self.practice.end(query).await
    }

    pub async fn reschedule(&self, place: Place, booking: &Booked, hour: i32) -> End {
        let profile_version = self.profile_version(place).await;
        let query = sqlx::query(RESCHEDULE)
            .bind(booking.id)
            .bind(booking.version)
            .bind(fresh_id())
            .bind(self.start(place, hour).timestamp())
            .bind(self.date())
            .bind(hour)
            .bind(place.zone.0);
        let query = with_receipt(query, booking.id, Some(fresh_id().to_string()))
            .bind(profile_version)
            .bind(BY)
            .bind(NO_TRACE);
        self.practice.end(query).await
    }

    /// Holds at the other places that have run out give way to a slot here.
    pub async fn expire_elsewhere(&self, place: Place, hour: i32) {
        sqlx::query(EXPIRE_ELSEWHERE)
            .bind(place.id)
            .bind(self.start(place, hour).timestamp())
            .bind(NO_TRACE)
            .execute(&self.practice.pool)
            .await
            .unwrap();
    }

    /// Whatever is committed at a moment: nobody is at two places at once, and no stream has a gap.
    pub async fn is_in_order(&self) {
        self.nobody_is_at_two_places().await;
        let odd: Vec<(String, i64, i64)> = sqlx::query_as(
            "select p.id::text, p.version, count(o.id)
            from practitioners p
            left join outbox o on o.key = p.id::text
            group by p.id
            -- The first version is the practitioner's own.
            having count(o.id) <> p.version - 1
                or count(distinct o.stream_version) <> count(o.id)
                or coalesce(max(o.stream_version), 1) <> p.version",
        )
        .fetch_all(&self.practice.pool)
        .await
        .unwrap();
        assert!(odd.is_empty(), "{odd:?}");
    }

    /// By the practitioners of now, not by what the bookings say.
    pub async fn nobody_is_at_two_places(&self) {
        let twice: Vec<(Uuid, Uuid)> = sqlx::query_as(
            "select a.id, b.id
            from bookings a
            join practitioners here on here.id = a.practitioner_id
            join practitioners there on there.person_id = here.person_id
            join bookings b on b.practitioner_id = there.id
                and b.id > a.id
                and b.slot_start < a.slot_start + interval '1 hour'
                and a.slot_start < b.slot_start + interval '1 hour'
            where a.status in ('held', 'confirmed')
                and b.status in ('held', 'confirmed')
                and (a.hold_expires_at is null or a.hold_expires_at > now())
                and (b.hold_expires_at is null or b.hold_expires_at > now())",
        )
        .fetch_all(&self.practice.pool)
        .await
        .unwrap();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
