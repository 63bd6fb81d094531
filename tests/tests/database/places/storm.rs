//! Everything at once, at random, at all places of a few persons, who meanwhile leave places and come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::{join, join_all};
use uuid::Uuid;

use super::clinic::{AT_ONE_PLACE, BY, Clinic, Place};
use crate::dice::Dice;
use crate::practice::{Booked, End};

const CLIENTS: usize = 16;
const SECONDS: u64 = 12;
const PERSONS: usize = 2;
const PATIENTS: usize = 8;
/// From 08:00 UTC on, whatever that is at a place.
const HOURS: u64 = 5;
const FIRST_UTC: i32 = 8;

/// What may refuse a change when everything is as it should be. The last: a practitioner has become, or
/// ceased to be, a place of the person in between, and the component decides again.
const REFUSALS: [&str; 4] = [
    AT_ONE_PLACE,
    "idx_no_double_book",
    "holds_per_patient",
    "40001",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_at_once_nobody_is_at_two_places() {
    let clinic = Clinic::open(PERSONS, PATIENTS, CLIENTS as u32 + 4).await;
    let over = AtomicBool::new(false);
    let clients = async {
        let clients = (0..CLIENTS).map(|client| client_of(&clinic, client as u64));
        let done = join_all(clients).await;
        over.store(true, Ordering::Relaxed);
        done
    };
    let watch = async {
        let mut looks = 0;
        while !over.load(Ordering::Relaxed) {
            clinic.is_in_order().await;
            looks += 1;
        }
        looks
    };
    let (tallies, looks) = join(clients, watch).await;
    let total = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (changes, refused) = (total(|tally| tally.done), total(|tally| tally.elsewhere));
    let (saved, between) = (total(|tally| tally.saved), total(|tally| tally.between));
    println!(
        "{changes} changes, {refused} refused by another place, {saved} places left or taken up, \
        {between} times something came in between; looked at {looks} times"
    );
    assert!(changes > 300, "only {changes} changes were made");
    assert!(refused > 50, "only {refused} met another place");
    assert!(saved > 10 && looks > 10, "{saved} {looks}");
    clinic.is_in_order().await;
    let deadlocks: i64 = sqlx::query_scalar(
        "select deadlocks from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&clinic.practice.pool)
    .await
    .unwrap();
    assert_eq!(deadlocks, 0);
}

#[derive(Debug, Default)]
struct Tally {
    done: u64,
    elsewhere: u64,
    saved: u64,
    between: u64,
}

async fn client_of(clinic: &Clinic, seed: u64) -> Tally {
    let mut dice = Dice::from_seed(seed);
    let started = Instant::now();
    let mut tally = Tally::default();
    let practice = &clinic.practice;
    while started.elapsed() < Duration::from_secs(SECONDS) {
        let (person, places) = clinic.persons[dice.index(PERSONS)];
        let place = dice.any(&places);
        let patient = practice.patients[dice.index(PATIENTS)];
        let hour = local_hour(place, dice.roll(HOURS));
        let end = match dice.roll(12) {
            0 | 1 => clinic.insert(place, patient, hour, None).await,
            2 => {
                clinic.expire_elsewhere(place, hour).await;
                clinic.insert(place, patient, hour, None).await
            }
            3 | 4 => clinic.insert(place, patient, hour, Some(1)).await,
            5 => {
                let expired = practice.expire().await;
                let_between(expired.err(), &mut tally);
                continue;
            }
            6 if dice.once_in(10) => {
                let erased = practice.erase(patient).await;
                let_between(erased.err(), &mut tally);
                come_back(clinic, patient).await;
                continue;
            }
            // One of the places is the person's at times only.
            7 if dice.once_in(3) => {
                let who = (!dice.once_in(2)).then_some(person);
                match clinic.save(places[2], who).await {
                    Ok(true) => tally.saved += 1,
                    Ok(false) => tally.between += 1,
                    Err(by) => {
                        assert!([AT_ONE_PLACE, "40001"].contains(&by.as_str()), "{by}");
                    }
                }
                continue;
            }
            choice => match any_live(clinic, &mut dice).await {
                None => continue,
                Some((_, found)) if choice < 8 => practice.cancel(&found, BY).await,
                Some((_, found)) if found.status == "held" && choice == 8 => {
                    practice.extend(&found, 2, 5, BY).await
                }
                Some((_, found)) if found.status == "held" => practice.confirm(found.id, BY).await,
                Some((place, found)) => {
                    let hour = local_hour(place, dice.roll(HOURS));
                    clinic.reschedule(place, &found, hour).await
                }
            },
        };
        match end {
            End::Done(_) => tally.done += 1,
            End::NotApplied => {}
            End::Refused(by) => {
                assert!(REFUSALS.contains(&by.as_str()), "{by}");
                tally.elsewhere += u64::from(by == AT_ONE_PLACE);
                tally.between += u64::from(by == "40001");
            }
        }
    }
    tally
}

fn let_between(refused: Option<String>, tally: &mut Tally) {
    if let Some(by) = refused {
        assert_eq!(by, "40001");
        tally.between += 1;
    }
}

fn local_hour(place: Place, roll: u64) -> i32 {
    FIRST_UTC + i32::try_from(roll).unwrap() + place.zone.1 / 3_600
}

async fn come_back(clinic: &Clinic, patient: Uuid) {
    sqlx::query("update patients set subject = id::text, erased_at = null where id = $1")
        .bind(patient)
        .execute(&clinic.practice.pool)
        .await
        .unwrap();
}

async fn any_live(clinic: &Clinic, dice: &mut Dice) -> Option<(Place, Booked)> {
    let live: Vec<(Uuid, i32, String, Uuid)> = sqlx::query_as(
        "select id, version, status, practitioner_id
        from bookings
        where status in ('held', 'confirmed')",
    )
    .fetch_all(&clinic.practice.pool)
    .await
    .unwrap();
    if live.is_empty() {
        return None;
    }
    let (id, version, status, practitioner) = live[dice.index(live.len())].clone();
    let places = clinic.persons.iter().flat_map(|(_, places)| places);
    let place = *places
        .into_iter()
        .find(|place| place.id == practitioner)
        .unwrap();
    let found = Booked {
        id,
        version,
        status,
    };
    Some((place, found))
}
