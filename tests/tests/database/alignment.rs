//! A slot that is not the first occurrence of a full local hour does not get in, not even by SQL.

use praxis_tests::directory::fresh_id;
use uuid::Uuid;

use crate::practice::{Practice, TENANT, run, why};

const ALIGNED: &str = "bookings_slot_aligned";

/// Berlin around the two changes of 2026, as the components write it down.
const BERLIN: &str = "insert into zone_offsets values
    ('Europe/Berlin', '2026-01-01T00:00Z', '2026-03-29T01:00Z', 3600, '2026-01-01T00:00Z'),
    ('Europe/Berlin', '2026-03-29T01:00Z', '2026-10-25T01:00Z', 7200, '2026-03-29T01:00Z'),
    ('Europe/Berlin', '2026-10-25T01:00Z', '2027-01-01T00:00Z', 3600, '2026-10-25T02:00Z')";

/// Half an hour off, and set back by half an hour.
const LORD_HOWE: &str = "insert into zone_offsets values
    ('Australia/Lord_Howe', '2026-01-01T00:00Z', '2026-04-04T15:00Z', 39600, '2026-01-01T00:00Z'),
    ('Australia/Lord_Howe', '2026-04-04T15:00Z', '2026-10-03T15:30Z', 37800, '2026-04-04T15:30Z')";

struct Door {
    practice: Practice,
    practitioner: Uuid,
    zone: &'static str,
}

impl Door {
    async fn to(zone: &'static str) -> Self {
        let practice = Practice::open(0, 1, 2).await;
        run(&practice.pool, BERLIN).await;
        run(&practice.pool, LORD_HOWE).await;
        let practitioner = practice.employ(zone).await;
        Self {
            practice,
            practitioner,
            zone,
        }
    }

    /// By SQL, as whoever has a console might.
    async fn insert(&self, slot_start: &str, date: &str, hour: i32) -> Result<Uuid, String> {
        self.insert_in(self.zone, slot_start, date, hour).await
    }

    async fn insert_in(
        &self,
        zone: &str,
        slot_start: &str,
        date: &str,
        hour: i32,
    ) -> Result<Uuid, String> {
        let id = fresh_id();
        let inserted = sqlx::query(
            "insert into bookings (id, practitioner_id, tenant_id, patient_id, slot_start, local_date,
                local_hour, time_zone, status, calendar_uid)
            values ($1, $2, $3, $4, $5::text::timestamptz, $6::text::date, $7, $8, 'confirmed', $1)",
        )
        .bind(id)
        .bind(self.practitioner)
        .bind(TENANT)
        .bind(self.practice.patients[0])
        .bind(slot_start)
        .bind(date)
        .bind(hour)
        .bind(zone)
        .execute(&self.practice.pool)
        .await;
        inserted.map(|_| id).map_err(|error| why(&error))
    }

    async fn refuses(&self, slot_start: &str, date: &str, hour: i32) {
        let refused = self.insert(slot_start, date, hour).await;
        assert_eq!(
            refused,
            Err(ALIGNED.to_owned()),
            "{slot_start} as {date} {hour}"
        );
    }
}

#[tokio::test]
async fn a_quarter_past_nine_does_not_get_in() {
    let door = Door::to("Europe/Berlin").await;
    door.insert("2026-06-01T07:00Z", "2026-06-01", 9)
        .await
        .unwrap();
    for minutes in [1, 15, 30, 45, 59] {
        let start = format!("2026-06-01T08:{minutes:02}Z");
        door.refuses(&start, "2026-06-01", 10).await;
    }
    // A full hour, but another one than it says.
    door.refuses("2026-06-01T08:00Z", "2026-06-01", 9).await;
    door.refuses("2026-06-01T08:00Z", "2026-06-02", 10).await;
}

#[tokio::test]
async fn an_hour_that_is_skipped_is_none_and_one_that_is_repeated_is_its_first() {
    let door = Door::to("Europe/Berlin").await;
    // 02:00 is not struck on 29 March.
    door.refuses("2026-03-29T01:00Z", "2026-03-29", 2).await;
    door.insert("2026-03-29T01:00Z", "2026-03-29", 3)
        .await
        .unwrap();
    // And twice on 25 October.
    door.refuses("2026-10-25T01:00Z", "2026-10-25", 2).await;
    door.insert("2026-10-25T00:00Z", "2026-10-25", 2)
        .await
        .unwrap();
    door.insert("2026-10-25T02:00Z", "2026-10-25", 3)
        .await
        .unwrap();

    let door = Door::to("Australia/Lord_Howe").await;
    // 01:30 comes twice, 02:00 is struck half an hour late.
    door.insert("2026-04-04T14:00Z", "2026-04-05", 1)
        .await
        .unwrap();
    door.refuses("2026-04-04T15:00Z", "2026-04-05", 2).await;
    door.insert("2026-04-04T15:30Z", "2026-04-05", 2)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_zone_is_the_practitioners_own() {
    let door = Door::to("Europe/Berlin").await;
    let elsewhere = door
        .insert_in("Australia/Lord_Howe", "2026-06-01T22:30Z", "2026-06-02", 9)
        .await;
    assert_eq!(elsewhere, Err(ALIGNED.to_owned()));
    // The same hour, under another zone's name.
    let renamed = door
        .insert_in("UTC", "2026-06-01T07:00Z", "2026-06-01", 7)
        .await;
    assert_eq!(renamed, Err(ALIGNED.to_owned()));
}

#[tokio::test]
async fn where_the_rules_are_not_known_nothing_gets_in() {
    let door = Door::to("Europe/Berlin").await;
    door.refuses("2025-12-31T22:00Z", "2025-12-31", 23).await;
    door.refuses("2027-01-01T00:00Z", "2027-01-01", 1).await;
    let door = Door::to("Asia/Kathmandu").await;
    door.refuses("2026-06-01T03:15Z", "2026-06-01", 9).await;
}

#[tokio::test]
async fn what_is_in_can_not_be_pushed_off_its_hour() {
    let door = Door::to("Europe/Berlin").await;
    let booking = door
        .insert("2026-06-01T07:00Z", "2026-06-01", 9)
        .await
        .unwrap();
    for change in [
        "update bookings set slot_start = slot_start + interval '15 minutes' where id = $1",
        "update bookings set slot_start = slot_start + interval '1 hour' where id = $1",
        "update bookings set local_hour = local_hour + 1 where id = $1",
        "update bookings set local_date = local_date + 1 where id = $1",
        "update bookings set time_zone = 'UTC' where id = $1",
    ] {
        let pushed = sqlx::query(change)
            .bind(booking)
            .execute(&door.practice.pool)
            .await;
        assert_eq!(why(&pushed.unwrap_err()), ALIGNED, "{change}");
    }
}
