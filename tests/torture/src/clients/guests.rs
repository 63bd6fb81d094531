//! Guests: patients who book, hold and wait for a while, and are erased then. Nobody acts for them
//! afterwards, so that all of them must be gone in the end.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::Instant;

use super::Client;
use crate::history::Deed;
use crate::town;

/// What a guest does before.
const DEEDS: std::ops::Range<u32> = 3..9;
/// An erasure beside another deed of the guest: it may make them a person again.
const MEETS: f64 = 0.15;
/// A host may be at a request for so long: only then an erasure is the last word.
const LINGERS_MS: u64 = 40_000;

pub struct Guest {
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
            self.live(subject).await;
            self.guest = Some(guest);
            return;
        }
        let unanswered = self.crowd.unanswered(&subject);
        let lingers = Duration::from_millis(LINGERS_MS);
        if unanswered.is_some_and(|since| since + lingers > Instant::now()) {
            self.guest = Some(guest);
            return self.take(false).await;
        }
        self.forget(&subject);
        self.perform(&subject, Deed::Erase).await;
    }

    async fn invite(&mut self) -> Option<Guest> {
        let number = self.guest_next;
        let subject = town::guest(number);
        let base = self.any_base();
        let claims = town::guest_claims(number);
        let signed_in = self.crowd.api.sign_in_at(&base, &subject, claims).await;
        // The host may be away just now.
        signed_in.ok()?;
        self.guest_next += self.guest_step;
        Some(Guest {
            subject,
            deeds_left: self.chance.random_range(DEEDS),
        })
    }

    async fn live(&mut self, subject: String) {
        if self.chance.random_bool(MEETS) {
            return self.meet(subject).await;
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
