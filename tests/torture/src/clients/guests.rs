//! Guests: patients who book, hold and wait for a while, and are erased then. Nobody acts for them
//! afterwards, so that all of them must be gone in the end: whatever of theirs a host may still be at, for
//! an erasure is the last word of every token from before it.

use rand::Rng as _;

use super::Client;
use crate::history::Deed;
use crate::town;

/// What a guest does before.
const DEEDS: std::ops::Range<u32> = 3..9;
/// An erasure beside another deed of the guest, who signs in anew after it.
const MEETS: f64 = 0.15;

pub struct Guest {
    number: usize,
    subject: String,
    deeds_left: u32,
}

impl Client {
    /// One deed of the guest; the last one is their erasure.
    pub(super) async fn be_guest(&mut self) {
        let Some(mut guest) = self.guest.take() else {
            self.guest = self.invite().await;
            return;
        };
        let subject = guest.subject.clone();
        if guest.deeds_left > 0 {
            guest.deeds_left -= 1;
            self.live(subject, guest.number).await;
            self.guest = Some(guest);
            return;
        }
        self.forget(&subject);
        self.perform(&subject, Deed::Erase).await;
    }

    async fn invite(&mut self) -> Option<Guest> {
        let number = self.guest_next;
        let subject = town::guest(number);
        // The host may be away just now.
        self.sign_in(number).await.ok()?;
        self.guest_next += self.guest_step;
        Some(Guest {
            number,
            subject,
            deeds_left: self.chance.random_range(DEEDS),
        })
    }

    async fn sign_in(&mut self, number: usize) -> anyhow::Result<()> {
        let base = self.any_base();
        let (subject, claims) = (town::guest(number), town::guest_claims(number));
        self.crowd.api.sign_in_at(&base, &subject, claims).await
    }

    async fn live(&mut self, subject: String, number: usize) {
        if self.chance.random_bool(MEETS) {
            self.meet(subject).await;
            // Else they go on with a token that nobody takes.
            self.sign_in(number).await.ok();
            return;
        }
        match self.chance.random_range(0..100) {
            0..35 => self.take_for(subject, false).await,
            35..60 => self.take_for(subject, true).await,
            60..85 => self.join_for(subject).await,
            _ => self.answer_offers_to(&subject).await,
        }
    }

    /// Books or holds, and is erased at once.
    async fn meet(&mut self, subject: String) {
        let is_held = self.chance.random_bool(0.5);
        let Some(deed) = self.taking(is_held) else {
            return;
        };
        self.forget(&subject);
        let (mut one, mut other) = (self.deputy(), self.deputy());
        futures::join!(
            one.perform(&subject, deed),
            other.perform(&subject, Deed::Erase)
        );
    }

    /// What is theirs is theirs no more.
    fn forget(&mut self, subject: &str) {
        self.own.retain(|own| own.subject != subject);
        self.waits.retain(|(who, _)| who != subject);
    }
}
