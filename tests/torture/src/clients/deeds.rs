//! What a client does with bookings and holds.

use std::time::Duration;

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use tokio::time::Instant;

use super::{Client, Own};
use crate::history::{Deed, Outcome, Told};

const HOT: f64 = 0.55;
/// How often a hold is kept for longer than it lasts without heartbeats that add something.
const NURSED: f64 = 0.2;
const NURSED_MS: std::ops::Range<u64> = 33_000..75_000;
const LET_EXPIRE: f64 = 0.1;

impl Client {
    /// Books or holds a slot.
    pub(super) async fn take(&mut self, is_held: bool) {
        let Some(subject) = self.somebody() else {
            return;
        };
        self.take_for(subject, is_held).await;
    }

    pub(super) async fn take_for(&mut self, subject: String, is_held: bool) {
        let Some(deed) = self.taking(is_held) else {
            return;
        };
        if let Outcome::Done(Told::Booking(made)) = self.perform(&subject, deed).await {
            self.remember(made, subject);
        }
        let is_busy = self.own.iter().any(Own::is_nursed);
        if is_held
            && !is_busy
            && self.chance.random_bool(NURSED)
            && let Some(own) = self.own.last_mut().filter(|own| own.is_held)
        {
            let long = Duration::from_millis(self.chance.random_range(NURSED_MS));
            own.nursed_until = Some(Instant::now() + long);
        }
    }

    /// To book or to hold any slot, mostly one that many want.
    pub(super) fn taking(&mut self, is_held: bool) -> Option<Deed> {
        let is_hot = self.chance.random_bool(HOT);
        let town = self.crowd.town.clone();
        let slots = if is_hot { &town.hot } else { &town.cold };
        let slot = slots.choose(&mut self.chance).copied()?;
        Some(match is_held {
            true => Deed::Hold { slot },
            false => Deed::Book { slot },
        })
    }

    /// Books the soonest slot of anybody in an area.
    pub(super) async fn take_any(&mut self) {
        let Some(subject) = self.somebody() else {
            return;
        };
        let area = self.chance.random_range(0..self.crowd.town.areas.len());
        let deed = Deed::BookAny { area };
        if let Outcome::Done(Told::Booking(made)) = self.perform(&subject, deed).await {
            self.remember(made, subject);
        }
    }

    pub(super) async fn confirm(&mut self) {
        let Some(own) = self.pick(|own| own.is_held && !own.is_nursed()) else {
            return self.take(false).await;
        };
        self.confirm_own(own).await;
    }

    pub(super) async fn confirm_own(&mut self, own: Own) {
        let deed = Deed::Confirm { hold: own.booking };
        if let Outcome::Done(Told::Booking(made)) = self.perform(&own.subject, deed).await {
            self.remember(made, own.subject);
        }
    }

    pub(super) async fn cancel(&mut self) {
        let Some(own) = self.pick(|own| !own.is_nursed()) else {
            return self.take(false).await;
        };
        match own.is_held {
            true => self.give_back(own).await,
            false => drop(self.perform(&own.subject, own.cancellation()).await),
        }
    }

    /// A hold: as one, as a booking, or by waiting.
    pub(super) async fn give_back(&mut self, own: Own) {
        let hold = own.booking;
        if self.chance.random_bool(LET_EXPIRE) {
            return self.let_expire(&own.subject, hold).await;
        }
        let deed = match self.chance.random_bool(0.5) {
            true => Deed::Release { hold },
            false => own.cancellation(),
        };
        self.perform(&own.subject, deed).await;
    }

    pub(super) async fn move_one(&mut self) {
        let Some(own) = self.pick(|own| !own.is_held) else {
            return self.take(false).await;
        };
        let Some(deed) = self.elsewhere(&own) else {
            return;
        };
        let outcome = self.perform(&own.subject.clone(), deed).await;
        self.moved(own, outcome);
    }

    /// Two bookings of one practitioner, each to the other's slot, at once.
    pub(super) async fn cross(&mut self) {
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
        self.moved(first, outcomes.0);
        self.moved(second, outcomes.1);
    }

    /// Cancels and moves one booking at once.
    pub(super) async fn contradict(&mut self) {
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
        if let Outcome::Done(Told::Booking(made)) = moved {
            self.remember(made, own.subject);
        }
    }

    /// Says of a hold that it is still wanted.
    pub(super) async fn beat(&mut self) {
        let nursed = self.pick(Own::is_nursed);
        let Some(mut own) = nursed.or_else(|| self.pick(|own| own.is_held)) else {
            return self.take(true).await;
        };
        let deed = Deed::Heartbeat { hold: own.booking };
        match self.perform(&own.subject.clone(), deed).await {
            Outcome::Done(Told::Booking(made)) => {
                own.version = made.version;
                self.own.push(own);
            }
            Outcome::Unknown => self.own.push(own),
            Outcome::Done(Told::Entry(_) | Told::Nothing) | Outcome::Refused { .. } => {}
        }
    }

    /// Finds again what it does not know the outcome of.
    pub(super) async fn look(&mut self) {
        let Some(subject) = self.somebody() else {
            return;
        };
        let base = self.any_base();
        let status = if self.chance.random_bool(0.5) {
            "held"
        } else {
            "confirmed"
        };
        let Ok(listed) = self.crowd.api.list(&base, &subject, status).await else {
            return;
        };
        for booking in listed {
            if self.own.iter().all(|own| own.booking != booking.booking) {
                self.remember(booking, subject.clone());
            }
        }
    }

    /// Another slot of the same practitioner.
    fn elsewhere(&mut self, own: &Own) -> Option<Deed> {
        let slots = self.slots.get(&own.slot.practitioner)?;
        let slot = slots.choose(&mut self.chance).copied()?;
        Some(own.to(slot))
    }

    fn moved(&mut self, own: Own, outcome: Outcome) {
        match outcome {
            Outcome::Done(Told::Booking(made)) => self.remember(made, own.subject),
            // It stands untouched.
            Outcome::Refused { problem, .. }
                if !problem.ends_with("conflict") && !problem.ends_with("not-active") =>
            {
                self.own.push(own);
            }
            Outcome::Refused { .. }
            | Outcome::Unknown
            | Outcome::Done(Told::Entry(_) | Told::Nothing) => {}
        }
    }
}
