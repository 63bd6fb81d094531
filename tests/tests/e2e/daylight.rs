//! Local hours: half-hour zones, and the nights on which clocks change.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use praxis_tests::directory::{now, same_instant, today};
use praxis_tests::{Practitioner, Services, World};
use serde_json::Value;

const HORIZON_DAYS: u64 = 61;
const QUARTER_HOUR: SignedDuration = SignedDuration::from_mins(15);

#[tokio::test]
async fn slots_are_local_hours_in_every_zone() {
    let world = World::start(Services::Embedded).await;
    let mut zones = vec!["Europe/Berlin".to_owned(), "Asia/Kolkata".to_owned()];
    zones.extend(zones_that_change_soon());
    for zone in zones {
        let mut practitioner = Practitioner::in_berlin("Everywhere");
        practitioner.time_zone = zone.clone();
        practitioner.hours = (0..24).collect();
        let first = today(&zone) + Days::new(2);
        practitioner.closed = vec![today(&zone), today(&zone) + Days::new(1)];
        world.import(&[&practitioner]).await;
        let last = today(&zone) + Days::new(HORIZON_DAYS);
        let id = practitioner.id;
        let path = format!("/v1/practitioners/{id}/availability?from={first}&to={last}");
        let answer = world.api().get(&path).await.expect(200).json();
        assert_eq!(answer["time_zone"], zone.as_str());
        assert_eq!(
            offered(&answer),
            hours_of_clocks(&zone, first, last),
            "{zone}"
        );
    }
    world.settle().await;
}

#[tokio::test]
async fn nine_in_kolkata_is_half_past_three_in_utc() {
    let world = World::start(Services::Embedded).await;
    let mut practitioner = Practitioner::in_berlin("Kolkata");
    practitioner.time_zone = "Asia/Kolkata".to_owned();
    let day = today("Asia/Kolkata") + Days::new(3);
    practitioner.closed = (0..3)
        .map(|n| today("Asia/Kolkata") + Days::new(n))
        .collect();
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    assert_eq!(slots[0], format!("{day}T03:30:00Z"));
    let booked = alice
        .book(practitioner.id, &slots[0])
        .await
        .expect(201)
        .json();
    assert_eq!(booked["local_date"], day.to_string());
    assert_eq!(booked["local_time"], "09:00");
    world.settle().await;
}

/// What the API offers: instant and local time, with the mask of each day checked against them.
fn offered(availability: &Value) -> BTreeSet<(String, String)> {
    let mut offered = BTreeSet::new();
    for day in availability["days"].as_array().unwrap() {
        let mut mask = 0_u64;
        for slot in day["slots"].as_array().unwrap() {
            let local_time = slot["local_time"].as_str().unwrap();
            let hour: u32 = local_time.strip_suffix(":00").unwrap().parse().unwrap();
            mask |= 1 << hour;
            let start = same_instant(slot["slot_start"].as_str().unwrap());
            offered.insert((
                start,
                format!("{} {local_time}", day["date"].as_str().unwrap()),
            ));
        }
        assert_eq!(day["mask"], mask, "{day}");
    }
    offered
}

/// What a clock on the wall would show: every instant at which it strikes a full hour that it has
/// not struck before on that day.
fn hours_of_clocks(zone: &str, first: NaiveDate, last: NaiveDate) -> BTreeSet<(String, String)> {
    let rules = TimeZone::get(zone).unwrap();
    let mut struck = BTreeSet::new();
    let mut hours = BTreeSet::new();
    let day_before = first - Days::new(1);
    let mut instant: Timestamp = format!("{day_before}T00:00:00Z").parse().unwrap();
    let end: Timestamp = format!("{}T00:00:00Z", last + Days::new(2))
        .parse()
        .unwrap();
    while instant < end {
        let wall = rules.to_datetime(instant);
        let date: NaiveDate = wall.date().to_string().parse().unwrap();
        if wall.minute() == 0 && first <= date && date <= last {
            let shown = format!("{date} {:02}:00", wall.hour());
            if struck.insert(shown.clone()) {
                hours.insert((same_instant(&instant.to_string()), shown));
            }
        }
        instant += QUARTER_HOUR;
    }
    hours
}

/// Two zones, if there are any, whose clocks change within the horizon: which ones depends on
/// the season.
fn zones_that_change_soon() -> Vec<String> {
    let start = now();
    let end = start + SignedDuration::from_hours(24 * (HORIZON_DAYS as i64 - 3));
    let changes_soon = |zone: &TimeZone| {
        zone.following(start)
            .next()
            .is_some_and(|change| change.timestamp() < end)
    };
    jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| name.contains('/'))
        .filter(|name| TimeZone::get(name).is_ok_and(|zone| changes_soon(&zone)))
        .take(2)
        .collect()
}

/// Every zone that there is, as the components wrote it down, asked by the database's own function.
#[tokio::test]
async fn the_database_judges_slots_as_the_rules_of_every_zone_do() {
    let world = World::start(Services::Embedded).await;
    let zones = all_zones();
    assert!(zones.len() > 400);
    let lines: Vec<_> = zones
        .iter()
        .map(|zone| {
            let mut practitioner = Practitioner::in_berlin("Everywhere");
            practitioner.time_zone = zone.clone();
            practitioner.json().to_string()
        })
        .collect();
    world.import_lines(&lines.join("\n")).await;

    let (mut names, mut instants, mut hours) = (Vec::new(), Vec::new(), Vec::new());
    for zone in &zones {
        let rules = TimeZone::get(zone).unwrap();
        for instant in probes(&rules) {
            names.push(rules.iana_name().unwrap().to_owned());
            instants.push(instant.to_string());
            hours.push(first_hour(&rules, instant).map(|wall| wall.to_string()));
        }
    }
    assert!(hours.len() > 50_000 && hours.iter().flatten().count() > 10_000);
    let wrong: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "select zone, instant, hour
        from unnest($1::text[], $2::text[], $3::text[]) as probe (zone, instant, hour)
        where first_local_hour(zone, instant::timestamptz) is distinct from hour::timestamp
        limit 5",
    )
    .bind(&names)
    .bind(&instants)
    .bind(&hours)
    .fetch_all(&world.database)
    .await
    .unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    world.settle().await;
}

/// A database that was there before the rules were written down, or that has old ones.
#[tokio::test]
async fn rules_that_the_database_lacks_or_has_otherwise_are_written_down_by_who_books() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Ruled");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let booking = alice.book(practitioner.id, &slots[0]).await.expect(201);
    for (ailment, wanted) in [
        ("delete from zone_offsets", &slots[1..3]),
        (
            "update zone_offsets set utc_offset_seconds = utc_offset_seconds + 1800",
            &slots[3..5],
        ),
    ] {
        sqlx::query(ailment).execute(&world.database).await.unwrap();
        alice.book(practitioner.id, &wanted[0]).await.expect(201);
        sqlx::query(ailment).execute(&world.database).await.unwrap();
        let wish =
            serde_json::json!({ "practitioner_id": practitioner.id, "slot_start": wanted[1] });
        alice.post("/v1/holds", &wish).await.expect(201);
    }
    sqlx::query("delete from zone_offsets")
        .execute(&world.database)
        .await
        .unwrap();
    alice
        .reschedule(&booking.text_of("booking_id"), "\"1\"", &slots[5])
        .await
        .expect(201);
    world.settle().await;
}

fn all_zones() -> Vec<String> {
    jiff::tz::db()
        .available()
        .map(|name| name.to_string())
        .filter(|name| {
            TimeZone::get(name).is_ok_and(|zone| zone.iana_name() == Some(name.as_str()))
        })
        .collect()
}

/// Every quarter of an hour on both sides of each change of the year to come, and of an ordinary day.
fn probes(rules: &TimeZone) -> Vec<Timestamp> {
    let start = now();
    let quarter = start.as_second() - start.as_second() % 900;
    let mut centres = vec![Timestamp::from_second(quarter).unwrap()];
    let year_later = start + SignedDuration::from_hours(24 * 365);
    let changes = rules.following(start).map(|change| change.timestamp());
    centres.extend(changes.take_while(|change| *change < year_later));
    centres
        .iter()
        .flat_map(|centre| (-48..48).map(|quarters| *centre + QUARTER_HOUR * quarters))
        .collect()
}

/// The full local hour that begins at an instant, for the first time.
fn first_hour(rules: &TimeZone, instant: Timestamp) -> Option<jiff::civil::DateTime> {
    let wall = rules.to_datetime(instant);
    let first = rules.to_ambiguous_timestamp(wall).compatible().unwrap();
    (wall.minute() == 0 && wall.second() == 0 && first == instant).then_some(wall)
}
