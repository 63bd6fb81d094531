//! What runs at one time: an event, or a batch of them.

use std::time::Instant;

use super::delivery::{Courier, Ended, Lane, caught};
use super::job::Job;
use super::schedule::{Key, Place};
use crate::manifest::OnExhausted;
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
            Handled::Hopeless => courier.deliver(&mut job, lane).await,
            Handled::Not => Ended::HeldBack,
            Handled::So(outcome) => courier.conclude(&mut job, outcome, lane).await,
        };
        if !matches!(end, Ended::Finished) {
            failed.push(place.key);
        }
        ended.push((place, job, end));
    }
    ended
}

/// How an event of a batch was handled.
enum Handled {
    So(Outcome),
    /// Not yet.
    Not,
    /// No component is to see it.
    Hopeless,
}

/// How each event was handled.
async fn outcomes(batch: &[(Place, Box<Job>)], courier: &Courier, lane: Lane<'_>) -> Vec<Handled> {
    let is_sound = |job: &Job| job.hopeless(lane.shown).is_none();
    let are_sound: Vec<bool> = batch.iter().map(|(_, job)| is_sound(job)).collect();
    let sound = batch.iter().zip(&are_sound).filter(|(_, sound)| **sound);
    let sound: Vec<(Key, &Job)> = sound.map(|((place, job), _)| (place.key, &**job)).collect();
    let jobs: Vec<&Job> = sound.iter().map(|(_, job)| *job).collect();
    let together = call(&jobs, courier, lane).await;
    let are_faults = together
        .iter()
        .all(|outcome| matches!(outcome, Outcome::Fault(_)));
    let handled = match sound.len() > 1 && are_faults {
        // One of them may be to blame: it is found by trying each alone.
        true => each(&sound, courier, lane).await,
        false => together.into_iter().map(Handled::So).collect(),
    };
    let mut handled = handled.into_iter();
    let outcome = |is_sound: bool| match is_sound {
        true => handled.next().unwrap_or(Handled::Not),
        false => Handled::Hopeless,
    };
    are_sound.into_iter().map(outcome).collect()
}

/// Tries each alone, in order, until one is at fault; leaves out those of a key of which an earlier one
/// has to be tried again.
async fn each(sound: &[(Key, &Job)], courier: &Courier, lane: Lane<'_>) -> Vec<Handled> {
    let mut handled = Vec::with_capacity(sound.len());
    let mut unsettled: Vec<Key> = Vec::new();
    for (key, job) in sound {
        if unsettled.contains(key) {
            handled.push(Handled::Not);
            continue;
        }
        let outcome = call(&[job], courier, lane).await.pop();
        let is_fault = matches!(outcome, Some(Outcome::Fault(_)));
        let is_settled = match &outcome {
            Some(Outcome::Done(_)) => true,
            Some(Outcome::Reject(_)) => lane.terms.on_exhausted == OnExhausted::DeadLetter,
            Some(Outcome::Retry(_) | Outcome::Fault(_)) | None => false,
        };
        if !is_settled {
            unsettled.push(*key);
        }
        handled.push(outcome.map_or(Handled::Not, Handled::So));
        if is_fault {
            break;
        }
    }
    handled
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
        lane.shown.handled(outcome, taken);
    }
    outcomes
}
