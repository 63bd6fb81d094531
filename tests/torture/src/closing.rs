//! The end of a run: what is still held is taken, so that the clock changes nothing any more while
//! everything is read. Nothing comes free by that, so nobody is offered anything new.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use praxis_tests::wait;
use uuid::Uuid;

use crate::clients::{Client, Crowd};
use crate::history::Deed;
use crate::run::Options;
use crate::settle;
use crate::world::World;

/// A hold that nobody may confirm has to run out, and the sweep comes every 15 s.
const CLOSED_MS_MAX: u64 = 90_000;

const HELD: &str = "
    select b.id, p.subject, b.hold_expires_at > now()
    from bookings b
    join torture_people p on p.patient_id = b.patient_id
    where b.status = 'held'";

/// Settles, until nothing is held any more.
pub async fn close(world: &World, crowd: &Arc<Crowd>, options: &Options) -> anyhow::Result<()> {
    let (clients, hastens) = (options.clients, options.hasten);
    let mut client = Client::new(crowd.clone(), options.seed, clients, clients);
    let within = Duration::from_millis(CLOSED_MS_MAX);
    settle::settle(world, hastens).await?;
    wait::until("nothing is held any more", within, async || {
        let held: Vec<(Uuid, String, bool)> =
            sqlx::query_as(HELD).fetch_all(&world.database).await?;
        for (hold, subject, _) in held.iter().filter(|(_, _, lasts)| *lasts) {
            client.perform(subject, Deed::Confirm { hold: *hold }).await;
        }
        settle::settle(world, hastens).await?;
        ensure!(held.is_empty(), "{} were", held.len());
        anyhow::Ok(())
    })
    .await
}
