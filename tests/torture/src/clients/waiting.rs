//! What a client does with the waitlist.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::{Client, Own};
use crate::history::{Deed, Outcome, Told, Whom, Wish};

/// For a hot practitioner; the others wait for an area.
const HOT: f64 = 0.6;
/// From now on; the others from an hour of the hot day on.
const FROM_NOW: f64 = 0.6;
const HOUR_SECONDS: i64 = 3_600;
const HOURS: std::ops::Range<i64> = 0..4;

impl Client {
    pub(super) async fn join(&mut self) {
        if let Some(subject) = self.somebody() {
            self.join_for(subject).await;
        }
    }

    pub(super) async fn join_for(&mut self, subject: String) {
        let Some(wish) = self.wish() else { return };
        if let Outcome::Done(Told::Entry(entry)) = self.perform(&subject, Deed::Join { wish }).await
        {
            self.waits.retain(|(_, known)| *known != entry);
            self.waits.push((subject, entry));
        }
    }

    pub(super) async fn leave(&mut self) {
        if self.waits.is_empty() {
            return self.join().await;
        }
        let at = self.chance.random_range(0..self.waits.len());
        let (subject, entry) = self.waits.swap_remove(at);
        self.perform(&subject, Deed::Leave { entry }).await;
    }

    /// Looks whether somebody who waits is offered something, and answers.
    pub(super) async fn answer_offers(&mut self) {
        let waiting = self.waits.choose(&mut self.chance);
        let Some((subject, _)) = waiting.cloned() else {
            return self.join().await;
        };
        self.answer_offers_to(&subject).await;
    }

    pub(super) async fn answer_offers_to(&mut self, subject: &str) {
        let base = self.any_base();
        let Ok(entries) = self.crowd.api.waitlist(&base, subject).await else {
            return;
        };
        self.waits.retain(|(who, _)| who != subject);
        for entry in entries {
            if entry.status != "fulfilled" {
                self.waits.push((subject.to_owned(), entry.id));
            }
            let Some(offer) = entry.booking.filter(|_| entry.status == "offered") else {
                continue;
            };
            self.own.retain(|own| own.booking != offer.booking);
            self.remember(offer, subject.to_owned());
            if let Some(own) = self.own.pop() {
                self.answer(own).await;
            }
        }
    }

    /// Some are taken, some given back or left to run out, and some forgotten for a while.
    async fn answer(&mut self, offer: Own) {
        match self.chance.random_range(0..100) {
            0..45 => self.confirm_own(offer).await,
            45..75 => self.give_back(offer).await,
            75..85 => {
                let hold = offer.booking;
                self.let_expire(&offer.subject, hold).await;
            }
            85..92 => {
                let deed = Deed::Heartbeat {
                    hold: offer.booking,
                };
                self.perform(&offer.subject, deed).await;
                self.own.push(offer);
            }
            _ => self.own.push(offer),
        }
    }

    fn wish(&mut self) -> Option<Wish> {
        let town = self.crowd.town.clone();
        let whom = if self.chance.random_bool(HOT) {
            let practitioner = town.hot_practitioners().choose(&mut self.chance)?;
            Whom::Practitioner(practitioner.id)
        } else {
            Whom::Area(self.chance.random_range(0..town.areas.len()))
        };
        let first = town.hot.iter().map(|slot| slot.start).min()?;
        let is_from_now = self.chance.random_bool(FROM_NOW);
        let from = (!is_from_now).then(|| first + self.chance.random_range(HOURS) * HOUR_SECONDS);
        Some(Wish {
            whom,
            from,
            to: town.end,
        })
    }
}
