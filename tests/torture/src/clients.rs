//! Those who book: each does one thing after the other for a few patients, at random, and now and
//! then two things at once. What is not answered is sent again with the same key, to any host.

pub mod api;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::{Builder, Uuid};

use self::api::{Api, Heard};
use crate::history::{Deed, Made, Operation, Outcome, Recorder, Slot};
use crate::town::Town;

const PATIENCE_MS_MAX: u64 = 25_000;
const PAUSE_MS_MAX: u64 = 250;
/// What a client has booked at one time; with more it only gives back.
const OWN_MAX: usize = 25;
const HOT: f64 = 0.55;
const TWICE_AT_ONCE: f64 = 0.05;

/// What all clients share.
pub struct Crowd {
    pub api: Api,
    pub town: Arc<Town>,
    pub recorder: Recorder,
    /// The most that a client waits between two deeds.
    pub pause_ms: u64,
    /// What there is to wait for: the hosts lag behind with events.
    pub is_held_up: watch::Receiver<bool>,
    pub stop: watch::Receiver<bool>,
    /// Answers that do not say what happened, and how often.
    pub unclear: Mutex<BTreeMap<String, u64>>,
}

pub struct Client {
    crowd: Arc<Crowd>,
    chance: ChaCha8Rng,
    patients: Vec<String>,
    /// Where a practitioner's bookings may be moved to.
    slots: HashMap<Uuid, Vec<Slot>>,
    own: Vec<Own>,
}

/// A booking as this client knows it.
#[derive(Debug, Clone)]
struct Own {
    booking: Uuid,
    version: i32,
    subject: String,
    slot: Slot,
    is_held: bool,
}

impl Client {
    /// The client of that number, of so many.
    pub fn new(crowd: Arc<Crowd>, seed: u64, number: usize, clients: usize) -> Self {
        let patients = crowd.town.patients.iter().skip(number).step_by(clients);
        let mut slots: HashMap<Uuid, Vec<Slot>> = HashMap::new();
        for slot in crowd.town.hot.iter().chain(&crowd.town.cold) {
            slots.entry(slot.practitioner).or_default().push(*slot);
        }
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(1_000 + number as u64);
        Self {
            patients: patients.cloned().collect(),
            chance,
            slots,
            own: Vec::new(),
            crowd,
        }
    }

    /// Acts until it is told to stop; then gives back what it holds, so that the clock changes
    /// nothing any more.
    pub async fn run(mut self) {
        let mut stop = self.crowd.stop.clone();
        let mut held_up = self.crowd.is_held_up.clone();
        while !*stop.borrow() {
            tokio::select! {
                _ = held_up.wait_for(|held_up| !held_up) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            self.act().await;
            let pause = self.chance.random_range(0..=self.crowd.pause_ms);
            sleep(Duration::from_millis(pause)).await;
        }
        self.give_back_holds().await;
    }

    async fn act(&mut self) {
        let roll = self.chance.random_range(0..100);
        if self.own.len() > OWN_MAX {
            return self.cancel().await;
        }
        match roll {
            0..32 => self.take(false).await,
            32..46 => self.take(true).await,
            46..60 => self.confirm().await,
            60..76 => self.cancel().await,
            76..92 => self.move_one().await,
            92..95 => self.cross().await,
            95..98 => self.contradict().await,
            _ => self.look().await,
        }
    }

    /// Books or holds a slot.
    async fn take(&mut self, is_held: bool) {
        let Some(subject) = self.patients.choose(&mut self.chance).cloned() else {
            return;
        };
        let is_hot = self.chance.random_bool(HOT);
        let town = self.crowd.town.clone();
        let slots = if is_hot { &town.hot } else { &town.cold };
        let Some(slot) = slots.choose(&mut self.chance).copied() else {
            return;
        };
        let deed = if is_held {
            Deed::Hold { slot }
        } else {
            Deed::Book { slot }
        };
        if let Outcome::Done(made) = self.perform(&subject, deed).await {
            self.remember(made, subject, slot, is_held);
        }
    }

    async fn confirm(&mut self) {
        let Some(at) = self.own.iter().position(|own| own.is_held) else {
            return self.take(false).await;
        };
        let own = self.own.swap_remove(at);
        let deed = Deed::Confirm { hold: own.booking };
        if let Outcome::Done(made) = self.perform(&own.subject, deed).await {
            self.remember(made, own.subject, own.slot, false);
        }
    }

    async fn cancel(&mut self) {
        let Some(own) = self.pick(|_| true) else {
            return self.take(false).await;
        };
        self.perform(&own.subject, own.cancellation()).await;
    }

    async fn move_one(&mut self) {
        let Some(own) = self.pick(|own| !own.is_held) else {
            return self.take(false).await;
        };
        let Some(deed) = self.elsewhere(&own) else {
            return;
        };
        let outcome = self.perform(&own.subject.clone(), deed).await;
        self.moved(own, deed, outcome);
    }

    /// Two bookings of one practitioner, each to the other's slot, at once.
    async fn cross(&mut self) {
        let Some(first) = self.pick(|own| !own.is_held) else {
            return self.take(false).await;
        };
        let practitioner = first.slot.practitioner;
        let Some(second) = self.pick(|own| !own.is_held && own.slot.practitioner == practitioner)
        else {
            self.own.push(first);
            return self.take(false).await;
        };
        let (there, back) = (first.to(second.slot), second.to(first.slot));
        let (mut one, mut other) = (self.deputy(), self.deputy());
        let outcomes = futures::join!(
            one.perform(&first.subject, there),
            other.perform(&second.subject, back)
        );
        self.moved(first, there, outcomes.0);
        self.moved(second, back, outcomes.1);
    }

    /// Cancels and moves one booking at once.
    async fn contradict(&mut self) {
        let Some(own) = self.pick(|own| !own.is_held) else {
            return self.take(false).await;
        };
        let Some(elsewhere) = self.elsewhere(&own) else {
            return;
        };
        let (mut one, mut other) = (self.deputy(), self.deputy());
        let cancellation = own.cancellation();
        let (_, moved) = futures::join!(
            one.perform(&own.subject, cancellation),
            other.perform(&own.subject, elsewhere)
        );
        if let Outcome::Done(made) = moved
            && let Some(slot) = elsewhere.takes()
        {
            self.remember(made, own.subject, slot, false);
        }
    }

    /// Finds again what it does not know the outcome of.
    async fn look(&mut self) {
        let Some(subject) = self.patients.choose(&mut self.chance).cloned() else {
            return;
        };
        let Some(base) = self.crowd.api.bases.choose(&mut self.chance) else {
            return;
        };
        let Ok(listed) = self.crowd.api.list(base, &subject, "confirmed").await else {
            return;
        };
        for booking in listed {
            if self.own.iter().all(|own| own.booking != booking.booking_id) {
                self.own.push(Own {
                    booking: booking.booking_id,
                    version: booking.version,
                    subject: subject.clone(),
                    slot: booking.slot(),
                    is_held: false,
                });
            }
        }
    }

    async fn give_back_holds(&mut self) {
        for subject in self.patients.clone() {
            let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS_MAX);
            while Instant::now() < deadline {
                let base = self.crowd.api.bases.choose(&mut self.chance).cloned();
                let base = base.unwrap_or_default();
                match self.crowd.api.list(&base, &subject, "held").await {
                    Ok(held) if held.is_empty() => break,
                    Ok(held) => {
                        for hold in held {
                            let deed = Deed::Cancel {
                                booking: hold.booking_id,
                                version: hold.version,
                            };
                            self.perform(&subject, deed).await;
                        }
                    }
                    Err(_) => sleep(Duration::from_millis(PAUSE_MS_MAX)).await,
                }
            }
        }
    }

    /// Sends a deed until it is answered; now and then twice at once.
    async fn perform(&mut self, subject: &str, deed: Deed) -> Outcome {
        let key = match deed {
            Deed::Book { .. } | Deed::Confirm { .. } | Deed::Move { .. } => {
                let key = Builder::from_random_bytes(self.chance.random()).into_uuid();
                Some(key.to_string())
            }
            Deed::Hold { .. } | Deed::Cancel { .. } => None,
        };
        if key.is_some() && self.chance.random_bool(TWICE_AT_ONCE) {
            let (mut one, mut other) = (self.deputy(), self.deputy());
            let (first, second) = futures::join!(
                one.send(subject, deed, key.clone()),
                other.send(subject, deed, key.clone())
            );
            return match first {
                Outcome::Done(_) => first,
                Outcome::Refused { .. } | Outcome::Unknown => second,
            };
        }
        self.send(subject, deed, key).await
    }

    async fn send(&mut self, subject: &str, deed: Deed, key: Option<String>) -> Outcome {
        let invoked_us = self.crowd.recorder.now_us();
        let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS_MAX);
        // How many may have been read by a host.
        let mut tries = 0;
        let mut is_unclear = false;
        let outcome = loop {
            let base = self.crowd.api.bases.choose(&mut self.chance).cloned();
            let base = base.unwrap_or_default();
            let heard = self
                .crowd
                .api
                .attempt(&base, subject, &deed, key.as_deref())
                .await;
            tries += u32::from(!matches!(heard, Heard::NotSent));
            match heard {
                Heard::Done(made) => break Outcome::Done(made),
                // An earlier try may have done what now stands in the way.
                Heard::Refused { .. } if is_unclear => break Outcome::Unknown,
                Heard::Refused { status, problem } => break Outcome::Refused { status, problem },
                Heard::NotSent => {}
                Heard::Nothing(why) => {
                    self.crowd.note(why);
                    is_unclear = true;
                    // Sent again, a hold would be another one.
                    if matches!(deed, Deed::Hold { .. }) {
                        break Outcome::Unknown;
                    }
                }
            }
            if Instant::now() > deadline {
                break match is_unclear {
                    true => Outcome::Unknown,
                    false => Outcome::Refused {
                        status: 0,
                        problem: "not sent".to_owned(),
                    },
                };
            }
            let pause = self.chance.random_range(20..=PAUSE_MS_MAX);
            sleep(Duration::from_millis(pause)).await;
        };
        self.crowd.recorder.record(Operation {
            subject: subject.to_owned(),
            deed,
            key,
            invoked_us,
            completed_us: self.crowd.recorder.now_us(),
            tries,
            outcome: outcome.clone(),
        });
        outcome
    }

    /// Somebody who acts beside this client, with chances of their own.
    fn deputy(&mut self) -> Self {
        Self {
            crowd: self.crowd.clone(),
            chance: ChaCha8Rng::from_seed(self.chance.random()),
            patients: Vec::new(),
            slots: HashMap::new(),
            own: Vec::new(),
        }
    }

    /// One of its own, at random, taken out.
    fn pick(&mut self, fits: impl Fn(&Own) -> bool) -> Option<Own> {
        let fitting: Vec<usize> = (0..self.own.len())
            .filter(|at| fits(&self.own[*at]))
            .collect();
        let at = fitting.choose(&mut self.chance)?;
        Some(self.own.swap_remove(*at))
    }

    /// Another slot of the same practitioner.
    fn elsewhere(&mut self, own: &Own) -> Option<Deed> {
        let slots = self.slots.get(&own.slot.practitioner)?;
        let slot = slots.choose(&mut self.chance).copied()?;
        Some(own.to(slot))
    }

    fn moved(&mut self, own: Own, deed: Deed, outcome: Outcome) {
        match (outcome, deed.takes()) {
            (Outcome::Done(made), Some(slot)) => self.remember(made, own.subject, slot, false),
            // It stands untouched.
            (Outcome::Refused { problem, .. }, _)
                if !problem.ends_with("conflict") && !problem.ends_with("not-active") =>
            {
                self.own.push(own);
            }
            _ => {}
        }
    }

    fn remember(&mut self, made: Made, subject: String, slot: Slot, is_held: bool) {
        self.own.push(Own {
            booking: made.booking,
            version: made.version,
            subject,
            slot,
            is_held,
        });
    }
}

impl Own {
    fn to(&self, slot: Slot) -> Deed {
        Deed::Move {
            booking: self.booking,
            version: self.version,
            to: slot,
        }
    }

    fn cancellation(&self) -> Deed {
        Deed::Cancel {
            booking: self.booking,
            version: self.version,
        }
    }
}

impl Crowd {
    fn note(&self, why: String) {
        let mut unclear = self.unclear.lock();
        let unclear = unclear.as_mut().expect("nobody panics while counting");
        *unclear.entry(why).or_default() += 1;
    }

    pub fn unclear(&self) -> BTreeMap<String, u64> {
        let unclear = self.unclear.lock();
        unclear.expect("nobody panics while counting").clone()
    }
}
