//! What runs at one time: an event, or a batch of them.

use std::time::Instant;

use super::delivery::{Courier, Ended, Lane, caught};
use super::job::Job;
use super::schedule::{Key, Place};
use crate::runtime::consumer::Outcome;

/// What was taken from the schedule.
pub enum Work {
    One(Place, Box<Job>),
    /// In the order in which they were admitted.
    Many(Vec<(Place, Box<Job>)>),
}

/// What became of it.
pub enum Worked {
    One(Place, Box<Job>, Ended),
    Many(Vec<(Place, Box<Job>, Ended)>),
}

impl Work {
    pub async fn run(self, courier: &Courier, lane: Lane<'_>) -> Worked {
        match self {
            Self::One(place, mut job) => {
                let ended = courier.deliver(&mut job, lane).await;
                Worked::One(place, job, ended)
            }
            // In a box: the batch's future is large, and an event's has to be moved around.
            Self::Many(batch) => Worked::Many(Box::pin(many(batch, courier, lane)).await),
        }
    }
}

async fn many(
    batch: Vec<(Place, Box<Job>)>,
    courier: &Courier,
    lane: Lane<'_>,
) -> Vec<(Place, Box<Job>, Ended)> {
    let outcomes = outcomes(&batch, courier, lane).await;
    let mut failed: Vec<Key> = Vec::new();
    let mut ended = Vec::with_capacity(batch.len());
    for ((place, mut job), outcome) in batch.into_iter().zip(outcomes) {
        let end = match outcome {
            // Its key's earlier one is tried again first.
            _ if failed.contains(&place.key) => Ended::HeldBack,
            _ if job.malformed.is_some() => courier.deliver(&mut job, lane).await,
            None => Ended::HeldBack,
            Some(outcome) => courier.conclude(&mut job, outcome, lane).await,
        };
        if !matches!(end, Ended::Finished) {
            failed.push(place.key);
        }
        ended.push((place, job, end));
    }
    ended
}

/// How each event was handled; `None` where it was not.
async fn outcomes(
    batch: &[(Place, Box<Job>)],
    courier: &Courier,
    lane: Lane<'_>,
) -> Vec<Option<Outcome>> {
    let sound = batch
        .iter()
        .map(|(_, job)| job)
        .filter(|job| job.malformed.is_none());
    let sound: Vec<&Job> = sound.map(|job| &**job).collect();
    let mut handled = call(&sound, courier, lane).await;
    if sound.len() > 1
        && handled
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Fault(_)))
    {
        // One of them may be to blame: it is found by trying each alone, in order.
        handled.clear();
        for job in &sound {
            handled.extend(call(&[job], courier, lane).await);
            if matches!(handled.last(), Some(Outcome::Fault(_))) {
                break;
            }
        }
    }
    let mut handled = handled.into_iter();
    let outcome = |(_, job): &(Place, Box<Job>)| match &job.malformed {
        Some(_) => None,
        None => handled.next(),
    };
    batch.iter().map(outcome).collect()
}

async fn call(jobs: &[&Job], courier: &Courier, lane: Lane<'_>) -> Vec<Outcome> {
    if jobs.is_empty() {
        return Vec::new();
    }
    let deliveries: Vec<_> = jobs.iter().map(|job| &job.delivery).collect();
    let started = Instant::now();
    let outcomes = match caught(courier.handler.handle_batch(&deliveries)).await {
        Ok(outcomes) => outcomes,
        Err(fault) => vec![fault; jobs.len()],
    };
    // Each had its part of the time.
    let taken = started.elapsed() / u32::try_from(jobs.len()).unwrap_or(u32::MAX);
    for outcome in &outcomes {
        lane.shown.meters.handled(outcome, taken);
    }
    outcomes
}
