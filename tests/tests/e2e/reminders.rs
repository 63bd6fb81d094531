//! Reminders: planned, sent once and in time, and unwanted. And what else stands in a mail: an entry for the
//! calendar, and links that act.

use praxis_tests::calendars::{self, Calendar};
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Answer, Api, Practitioner, Services, World, events, eventually, mail};
use reqwest::Method;
use serde_json::json;

const ALICE: &str = "alice@patients.example";
const DAY_MINUTES: i32 = 1_440;
const TWO_HOURS_MINUTES: i32 = 120;

struct Stage {
    world: World,
    practitioner: Practitioner,
    alice: Api,
    /// The first is tomorrow at the earliest, so no reminder is due by itself.
    slots: Vec<String>,
}

impl Stage {
    async fn set(services: Services) -> Self {
        let world = World::start(services).await;
        let practitioner = Practitioner::in_berlin("Mindful");
        world.import(&[&practitioner]).await;
        let alice = world.api().patient("alice").await;
        let (mut slots, _) = practitioner.free_slots(&alice).await;
        let later = praxis_tests::directory::now() + jiff::SignedDuration::from_hours(30);
        slots.retain(|slot| slot.parse::<jiff::Timestamp>().unwrap() > later);
        Self {
            world,
            practitioner,
            alice,
            slots,
        }
    }

    /// The booking's id.
    async fn booked(&self, slot: &str) -> Answer {
        let booked = self
            .alice
            .book(self.practitioner.id, slot)
            .await
            .expect(201);
        self.planned(
            &booked.text_of("booking_id"),
            &[TWO_HOURS_MINUTES, DAY_MINUTES],
        )
        .await;
        booked
    }

    async fn planned(&self, booking: &str, leads: &[i32]) {
        eventually(SOON, "the plan follows", async || {
            let planned: Vec<i32> = sqlx::query_scalar(
                "select lead_minutes from reminders where booking_id = $1::uuid order by 1",
            )
            .bind(booking)
            .fetch_all(&self.world.database)
            .await
            .unwrap();
            ensure(planned == leads, format!("{planned:?}"))
        })
        .await;
    }

    /// As if their time had come.
    async fn time_comes(&self, booking: &str, leads: &[i32]) {
        let come = sqlx::query(
            "update reminders
            set due_at = now() - interval '1 second'
            where booking_id = $1::uuid and lead_minutes = any ($2)",
        )
        .bind(booking)
        .bind(leads)
        .execute(&self.world.database)
        .await
        .unwrap();
        assert_eq!(come.rows_affected(), leads.len() as u64);
    }

    /// Of the last of so many mails.
    async fn way_to_cancel(&self, mails: usize) -> String {
        let told = mail::wait_for(&self.alice, ALICE, mails)
            .await
            .text
            .unwrap();
        let (_, token) = told.split_once("/#/cancel/").unwrap();
        let token = token.split_whitespace().next().unwrap();
        format!("/v1/links/cancel/{token}")
    }

    /// How the last reminder of a patient ended.
    async fn ended(&self, status: &str, count: i64) {
        eventually(SOON, "the ledger has it", async || {
            let ended: i64 = sqlx::query_scalar(
                "select count(*) from deliveries
                where template = 'booking-reminder.patient.email' and status = $1",
            )
            .bind(status)
            .fetch_one(&self.world.database)
            .await
            .unwrap();
            ensure(ended == count, format!("{ended} are {status}"))
        })
        .await;
    }
}

#[tokio::test]
async fn a_reminder_comes_when_its_time_has_come_and_once() {
    reminded(Services::Embedded).await;
}

#[tokio::test]
async fn a_reminder_comes_over_kafka_too() {
    reminded(Services::Brokered).await;
}

async fn reminded(services: Services) {
    let stage = Stage::set(services).await;
    let booking = stage.booked(&stage.slots[0]).await.text_of("booking_id");
    mail::wait_for(&stage.alice, ALICE, 1).await;
    stage.time_comes(&booking, &[DAY_MINUTES]).await;
    let told = mail::wait_for(&stage.alice, ALICE, 2).await;
    assert!(told.subject.unwrap().starts_with("Reminder: "));
    stage.world.settle().await;
    let said = events::of_topic(&stage.world, "reminder-events").await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].data["lead_minutes"], DAY_MINUTES);
    // The practitioner was told of the booking, and is not reminded.
    mail::wait_for(&stage.alice, &stage.practitioner.email, 1).await;

    let read = calendars::read(&stage.world.mail_folder(), ALICE);
    let way = read[1].unsubscribe.as_deref().unwrap();
    assert!(way.contains("/v1/links/opt-out/"), "{way}");
    let post = read[1].unsubscribe_post.as_deref();
    assert_eq!(post, Some("List-Unsubscribe=One-Click"));
    assert_eq!(read[0].unsubscribe, None);
}

#[tokio::test]
async fn of_what_an_outage_kept_back_the_last_is_said() {
    let stage = Stage::set(Services::Embedded).await;
    let booking = stage.booked(&stage.slots[0]).await.text_of("booking_id");
    stage
        .time_comes(&booking, &[DAY_MINUTES, TWO_HOURS_MINUTES])
        .await;
    mail::wait_for(&stage.alice, ALICE, 2).await;
    stage.world.settle().await;
    mail::wait_for(&stage.alice, ALICE, 2).await;
    let said = events::of_topic(&stage.world, "reminder-events").await;
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].data["lead_minutes"], TWO_HOURS_MINUTES);
}

#[tokio::test]
async fn who_moves_or_cancels_is_reminded_of_what_there_is() {
    let stage = Stage::set(Services::Embedded).await;
    let old = stage.booked(&stage.slots[0]).await;
    let old_id = old.text_of("booking_id");
    let moved = stage
        .alice
        .reschedule(&old_id, old.header("etag"), &stage.slots[1])
        .await
        .expect(201);
    let new_id = moved.text_of("booking_id");
    stage.planned(&old_id, &[]).await;
    stage
        .planned(&new_id, &[TWO_HOURS_MINUTES, DAY_MINUTES])
        .await;

    // An event that was on its way when the booking ended: nobody is told.
    sqlx::query(
        "insert into outbox (topic, key, kind, stream_version, data)
        values ('reminder-events', $1, 'ReminderDue', 1, jsonb_build_object(
            'schema', 1, 'booking_id', $1, 'lead_minutes', 1440, 'slot_start', $2))",
    )
    .bind(&old_id)
    .bind(&stage.slots[0])
    .execute(&stage.world.database)
    .await
    .unwrap();
    stage
        .alice
        .cancel(&new_id, moved.header("etag"))
        .await
        .expect(200);
    stage.planned(&new_id, &[]).await;
    stage.world.settle().await;
    mail::wait_for(&stage.alice, ALICE, 3).await;
    assert!(events::dead_letters(&stage.world).await.is_empty());
}

#[tokio::test]
async fn who_wants_none_gets_none_until_they_do() {
    let stage = Stage::set(Services::Embedded).await;
    let booking = stage.booked(&stage.slots[0]).await.text_of("booking_id");
    stage.time_comes(&booking, &[DAY_MINUTES]).await;
    stage.ended("sent", 1).await;
    let read = calendars::read(&stage.world.mail_folder(), ALICE);
    let way = read[1].unsubscribe.clone().unwrap();
    let path = way.trim_matches(['<', '>']);
    let path = &path[path.find("/v1/").unwrap()..];

    // Looking changes nothing; what a mail program sends does, without a token and however often.
    let nobody = stage.world.api();
    let seen = nobody.get(path).await.expect(200).json();
    assert_eq!(seen, json!({ "channel": "email", "opted_out": false }));
    for _ in 0..2 {
        let body = "List-Unsubscribe=One-Click".to_owned();
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let out = nobody.send(Method::POST, path, &form, Some(body)).await;
        assert_eq!(out.expect(200).json()["opted_out"], true);
    }
    let next = stage.booked(&stage.slots[1]).await.text_of("booking_id");
    stage.time_comes(&next, &[DAY_MINUTES]).await;
    stage.ended("opted-out", 1).await;

    let back = nobody.send(Method::DELETE, path, &[], None).await;
    assert_eq!(back.expect(200).json()["opted_out"], false);
    let last = stage.booked(&stage.slots[2]).await.text_of("booking_id");
    stage.time_comes(&last, &[DAY_MINUTES]).await;
    stage.ended("sent", 2).await;

    nobody
        .get(&format!("{path}x"))
        .await
        .expect_problem(404, "not-found");
    let cancel = path.replace("opt-out", "cancel");
    nobody.get(&cancel).await.expect_problem(404, "not-found");
}

#[tokio::test]
async fn a_link_cancels_once() {
    let stage = Stage::set(Services::Embedded).await;
    let booked = stage.booked(&stage.slots[0]).await;
    let path = stage.way_to_cancel(1).await;
    let nobody = stage.world.api();

    let seen = nobody.get(&path).await.expect(200).json();
    assert_eq!(seen["status"], "confirmed");
    assert_eq!(seen["slot_start"], booked.json()["slot_start"]);
    assert!(seen.get("patient_id").is_none() && seen.get("booking_id").is_none());
    let done = nobody.post(&path, &json!({})).await.expect(200).json();
    assert_eq!(done["status"], "cancelled");
    for again in [
        nobody.post(&path, &json!({})).await,
        nobody.get(&path).await,
    ] {
        again.expect_problem(410, "link-over");
    }
    let booking = booked.text_of("booking_id");
    let mine = stage.alice.get(&format!("/v1/bookings/{booking}")).await;
    assert_eq!(mine.expect(200).json()["status"], "cancelled");
    let staff = stage.world.api().staff(&stage.practitioner.tenant).await;
    let history = staff.get(&format!("/v1/bookings/{booking}/history")).await;
    let history = history.expect(200).json().to_string();
    assert!(history.contains(r#""role":"link""#), "{history}");

    // What was moved in the meantime is not what the link was for.
    let moved = stage.booked(&stage.slots[1]).await;
    let path = stage.way_to_cancel(3).await;
    stage
        .alice
        .reschedule(
            &moved.text_of("booking_id"),
            moved.header("etag"),
            &stage.slots[2],
        )
        .await
        .expect(201);
    nobody
        .post(&path, &json!({}))
        .await
        .expect_problem(410, "link-over");
}

#[tokio::test]
async fn a_tenant_says_when_and_whom() {
    let stage = Stage::set(Services::Embedded).await;
    let booking = stage.booked(&stage.slots[0]).await.text_of("booking_id");
    let tenant = &stage.practitioner.tenant;
    let path = format!("/v1/tenants/{tenant}");
    let staff = stage.world.api().staff(tenant).await;
    let now = staff.get(&path).await.expect(200);
    assert_eq!(now.json()["reminder_minutes"], json!([1440, 120]));
    let mut wanted = json!({ "name": "Mindful", "reminder_minutes": [60, 60, 5] });
    let etag = now.header("etag").to_owned();
    let put = async |body: &serde_json::Value, etag: &str| {
        let headers = [("if-match", etag)];
        let body = Some(body.to_string());
        staff.send(Method::PUT, &path, &headers, body).await
    };
    let refused = put(&wanted, &etag)
        .await
        .expect_problem(400, "bad-request")
        .json();
    let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().collect();
    assert_eq!(pointers.len(), 2, "{refused}");

    wanted["reminder_minutes"] = json!([60, 1440]);
    wanted["reminds_practitioners"] = json!(true);
    put(&wanted, &etag).await.expect(200);
    // What is booked already is reminded of at the new times.
    stage.planned(&booking, &[60, DAY_MINUTES]).await;
    stage.time_comes(&booking, &[60]).await;
    let told = mail::wait_for(&stage.alice, &stage.practitioner.email, 2).await;
    assert!(told.subject.unwrap().starts_with("Reminder: "));
    mail::wait_for(&stage.alice, ALICE, 2).await;
}

#[tokio::test]
async fn a_calendar_keeps_one_entry_over_the_life_of_an_appointment() {
    let stage = Stage::set(Services::Embedded).await;
    let booked = stage.booked(&stage.slots[0]).await;
    let moved = stage
        .alice
        .reschedule(
            &booked.text_of("booking_id"),
            booked.header("etag"),
            &stage.slots[1],
        )
        .await
        .expect(201);
    stage
        .alice
        .cancel(&moved.text_of("booking_id"), moved.header("etag"))
        .await
        .expect(200);
    for address in [ALICE, &stage.practitioner.email] {
        mail::wait_for(&stage.alice, address, 3).await;
        let entries = entries(&stage.world, address);
        let said: Vec<_> = entries
            .iter()
            .map(|entry| (&entry.method[..], &entry.status[..], entry.sequence))
            .collect();
        assert_eq!(
            said,
            [
                ("REQUEST", "CONFIRMED", 0),
                ("REQUEST", "CONFIRMED", 1),
                ("CANCEL", "CANCELLED", 2)
            ]
        );
        for (entry, slot) in entries.iter().zip([0, 1, 1]) {
            assert_eq!(entry.problems, [] as [String; 0]);
            assert_eq!(entry.method_of_part, entry.method);
            assert_eq!(entry.uid, entries[0].uid);
            let (start, end): (jiff::Timestamp, jiff::Timestamp) =
                (entry.start.parse().unwrap(), entry.end.parse().unwrap());
            assert_eq!(start, stage.slots[slot].parse().unwrap());
            assert_eq!((end - start).get_seconds(), 3600);
            assert!(
                entry
                    .attendee
                    .eq_ignore_ascii_case(&format!("mailto:{address}"))
            );
            assert!(
                entry
                    .organizer
                    .to_lowercase()
                    .starts_with("mailto:no-reply@")
            );
        }
    }
}

fn entries(world: &World, address: &str) -> Vec<Calendar> {
    let mails = calendars::read(&world.mail_folder(), address);
    mails.into_iter().flat_map(|mail| mail.calendars).collect()
}
