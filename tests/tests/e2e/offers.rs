//! The statement that offers a slot, by many hosts at once: real ones rarely meet at the right moment.

use futures::future::join_all;
use praxis_tests::directory::fresh_id;
use praxis_tests::{Practitioner, Services, World};
use uuid::Uuid;

use crate::waitlist::{join, statuses};

const OFFER: &str = include_str!("../../../components/booking/src/waitlist/sql/offer.sql");
const MATCHING: &str = include_str!("../../../components/booking/src/waitlist/sql/matching.sql");
const HOSTS: usize = 3;
const ROUNDS: usize = 8;
const WAITING: usize = 6;
const FREED: usize = 4;

#[tokio::test]
async fn of_many_hosts_that_offer_the_same_slots_each_goes_to_one_and_the_first_come_first() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Raced");
    world.import(&[&practitioner]).await;
    world.settle().await;
    let (slots, _) = practitioner.free_slots(&world.api()).await;
    let offer = OFFER.replace("{matching}", MATCHING);
    for round in 0..ROUNDS {
        let mut waiting = Vec::new();
        for n in 0..WAITING {
            let patient = world.api().patient(&format!("raced-{round}-{n}")).await;
            join(&patient, practitioner.id).await.expect(201);
            waiting.push(patient);
        }
        let slots = &slots[round * FREED..][..FREED];
        let offers = slots
            .iter()
            .flat_map(|slot| (0..HOSTS).map(|_| try_offer(&world, &offer, practitioner.id, slot)));
        let offered: usize = join_all(offers).await.into_iter().sum();
        assert_eq!(offered, FREED);
        let all: Vec<_> = waiting.iter().collect();
        let expected = [["offered"; FREED].as_slice(), &["waiting"; WAITING - FREED]].concat();
        assert_eq!(statuses(&all).await, expected);
        sqlx::query("delete from waitlist")
            .execute(&world.database)
            .await
            .unwrap();
    }
    let offers = i64::try_from(ROUNDS * FREED).unwrap();
    let gapless: bool = sqlx::query_scalar(
        "select count(*) = $2 and max(stream_version) = min(stream_version) + $2 - 1
            and max(stream_version) = (select version from practitioners where id = $1)
        from outbox
        where kind = 'HoldOffered'",
    )
    .bind(practitioner.id)
    .bind(offers)
    .fetch_one(&world.database)
    .await
    .unwrap();
    assert!(gapless);
    world.settle().await;
}

/// How many offers were made: one or none.
async fn try_offer(world: &World, offer: &str, practitioner: Uuid, slot: &str) -> usize {
    let start: jiff::Timestamp = slot.parse().unwrap();
    let local = start.to_zoned(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
    let date: chrono::NaiveDate = local.date().to_string().parse().unwrap();
    let offered = sqlx::query(sqlx::AssertSqlSafe(offer))
        .bind(fresh_id())
        .bind(practitioner)
        .bind(start.as_second())
        .bind(date)
        .bind(i32::from(local.hour()))
        .bind("Europe/Berlin")
        .bind(900)
        .bind(fresh_id())
        .bind(1_i64)
        .fetch_optional(&world.database)
        .await;
    match offered {
        Ok(row) => usize::from(row.is_some()),
        Err(error) => {
            let constraint = error
                .as_database_error()
                .and_then(|error| error.constraint());
            assert_eq!(constraint, Some("idx_no_double_book"), "{error}");
            0
        }
    }
}
