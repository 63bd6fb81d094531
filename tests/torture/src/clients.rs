//! Those who book: each does one thing after the other for a few patients, at random, and now and
//! then two things at once. What is not answered is sent again with the same key, to any host.

pub mod api;
mod deeds;
mod guests;
mod request;
mod send;
mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use self::api::Api;
use self::guests::Guest;
use crate::history::{Deed, Made, Recorder, Slot};
use crate::town::Town;

/// What a client has booked at one time; with more it only gives back.
const OWN_MAX: usize = 25;

/// What all clients share.
pub struct Crowd {
    pub api: Api,
    pub town: Arc<Town>,
    pub recorder: Recorder,
    /// The most that a client waits between two deeds.
    pub pause_ms: u64,
    /// Where holds can be made to run out at once.
    pub hasten: Option<PgPool>,
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
    /// Who waits, and the entry.
    waits: Vec<(String, Uuid)>,
    /// Somebody who will be erased, and the number of the one after them.
    guest: Option<Guest>,
    guest_next: usize,
    guest_step: usize,
}

/// A booking as this client knows it.
#[derive(Debug, Clone)]
struct Own {
    booking: Uuid,
    version: i32,
    subject: String,
    slot: Slot,
    is_held: bool,
    /// Until then a hold is kept, with heartbeats.
    nursed_until: Option<Instant>,
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
            waits: Vec::new(),
            guest: None,
            guest_next: number,
            guest_step: clients,
            crowd,
        }
    }

    /// Acts until it is told to stop.
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
    }

    async fn act(&mut self) {
        let roll = self.chance.random_range(0..100);
        if self.own.len() > OWN_MAX {
            return self.cancel().await;
        }
        match roll {
            0..20 => self.take(false).await,
            20..25 => self.take_any().await,
            25..36 => self.take(true).await,
            36..46 => self.confirm().await,
            46..59 => self.cancel().await,
            59..71 => self.move_one().await,
            71..74 => self.cross().await,
            74..77 => self.contradict().await,
            77..79 => self.beat().await,
            79..83 => self.join().await,
            83..84 => self.leave().await,
            84..92 => self.answer_offers().await,
            92..98 => self.be_guest().await,
            _ => self.look().await,
        }
    }

    /// Somebody who acts beside this client, with chances of their own.
    fn deputy(&mut self) -> Self {
        Self {
            crowd: self.crowd.clone(),
            chance: ChaCha8Rng::from_seed(self.chance.random()),
            patients: Vec::new(),
            slots: HashMap::new(),
            own: Vec::new(),
            waits: Vec::new(),
            guest: None,
            guest_next: 0,
            guest_step: 0,
        }
    }

    /// One of the client's patients, at random.
    fn somebody(&mut self) -> Option<String> {
        self.patients.choose(&mut self.chance).cloned()
    }

    fn any_base(&mut self) -> String {
        let base = self.crowd.api.bases.choose(&mut self.chance);
        base.cloned().unwrap_or_default()
    }

    /// One of its own, at random, taken out.
    fn pick(&mut self, fits: impl Fn(&Own) -> bool) -> Option<Own> {
        let fitting: Vec<usize> = (0..self.own.len())
            .filter(|at| fits(&self.own[*at]))
            .collect();
        let at = fitting.choose(&mut self.chance)?;
        Some(self.own.swap_remove(*at))
    }

    fn remember(&mut self, made: Made, subject: String) {
        self.own.push(Own {
            booking: made.booking,
            version: made.version,
            subject,
            slot: made.slot,
            is_held: made.status == "held",
            nursed_until: None,
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

    fn is_nursed(&self) -> bool {
        self.nursed_until
            .is_some_and(|until| until > Instant::now())
    }
}

impl Crowd {
    /// An answer that does not say what happened.
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
