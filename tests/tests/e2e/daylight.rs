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
