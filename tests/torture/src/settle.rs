//! The wait until nothing is left to do.

use std::time::Duration;

use anyhow::ensure;
use praxis_tests::{events, wait};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::world::{OPERATOR, World};

/// A mail that a host died over waits for 90 s, and those of its partition wait with it.
const SETTLED_MS_MAX: u64 = 240_000;
const LAG_EVERY_MS: u64 = 500;
/// With more events to handle than that, nobody books until there are fewer.
const LAG_MAX: u64 = 4_000;

/// A claim on a mail that is so old is a dead host's, once no host dies any more; `CLAIM_AGE_MAX` is
/// how old it must be for the others.
const HASTEN: &str = "
    update deliveries
    set updated_at = updated_at - interval '90 seconds'
    where status = 'sending'
        and updated_at < now() - interval '10 seconds'";

/// All that was saved is published and handled.
pub async fn settle(world: &World, hastens: bool) -> anyhow::Result<()> {
    let within = Duration::from_millis(SETTLED_MS_MAX);
    wait::until("every event is published and handled", within, async || {
        let unpublished: i64 =
            sqlx::query_scalar("select count(*) from outbox where published_at is null")
                .fetch_one(&world.database)
                .await?;
        if hastens {
            sqlx::query(HASTEN).execute(&world.database).await?;
        }
        ensure!(unpublished == 0, "{unpublished} are not published");
        let consumers = consumers(world).await?;
        let lag = events::lag(&consumers);
        ensure!(lag == 0, "{lag} are not handled: {consumers}");
        anyhow::Ok(())
    })
    .await
}

/// Says whether the hosts lag so far behind that clients had better wait, until nobody asks.
pub async fn watch_lag(world: &World, is_held_up: watch::Sender<bool>) {
    while !is_held_up.is_closed() {
        if let Ok(consumers) = consumers(world).await {
            is_held_up.send_replace(events::lag(&consumers) > LAG_MAX);
        }
        sleep(Duration::from_millis(LAG_EVERY_MS)).await;
    }
}

/// As any of the hosts tells.
async fn consumers(world: &World) -> anyhow::Result<Value> {
    let mut answer = Err(anyhow::anyhow!("there is no host"));
    for base in &world.api.bases {
        answer = world.api.get(base, "/v1/ops/consumers", OPERATOR).await;
        // While the broker is away a host knows of no partition.
        answer = answer.and_then(|told| {
            let items = told["items"].as_array();
            ensure!(
                items.is_some_and(|items| !items.is_empty()),
                "nothing is known: {told}"
            );
            Ok(told)
        });
        if answer.is_ok() {
            break;
        }
    }
    answer
}
