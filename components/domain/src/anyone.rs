//! Which slot is tried next for somebody who takes any practitioner: the soonest, and of those that
//! begin together the nearest.
//!
//! What the index says of a practitioner is a first guess. Their slots are looked at when it is
//! their turn, and again after a slot was lost to somebody else. Many who want the same at the same
//! moment would run after each other from slot to slot: so whoever has lost once chooses by chance
//! among the next slots, and among twice as many after each loss.

use jiff::Timestamp;
use uuid::Uuid;

use crate::slot::Slot;

/// Practitioners that are considered at a time: the nearest ones, and only where none of them has a free
/// slot, the nearest after them.
pub const CANDIDATES_AT_A_TIME: usize = 100;
/// Practitioners that are considered in all.
pub const CANDIDATES_MAX: usize = 500;
/// Slots of one practitioner that are considered.
pub const SLOTS_PER_LOOK_MAX: usize = 64;
/// Slots that are tried before the caller is told to come again: it is their number that is
/// limited, not that nothing is free.
pub const TRIES_MAX: u32 = 32;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// See which slots of this practitioner are free: then `found`.
    Look(Uuid),
    /// Book it; if somebody else was faster: `lost`.
    Try(Uuid, Slot),
    /// Nothing is free with any of them: `further`, if there are others.
    NoneFree,
    /// As many slots were lost as may be tried.
    TooManyLost,
}

/// The practitioners that are left, and what is known of them.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// The nearest first.
    left: Vec<Candidate>,
    chance: u64,
    losses: u32,
}

#[derive(Debug, Clone)]
struct Candidate {
    practitioner: Uuid,
    /// They have no free slot before.
    not_before: Timestamp,
    /// None: to be looked at.
    slots: Option<Vec<Slot>>,
}

impl Candidates {
    /// `nearest_first`: each with the first slot that they may have. `chance`: another one for each
    /// caller.
    pub fn new(nearest_first: impl IntoIterator<Item = (Uuid, Timestamp)>, chance: u64) -> Self {
        let mut candidates = Self {
            left: Vec::new(),
            chance,
            losses: 0,
        };
        candidates.further(nearest_first);
        candidates
    }

    /// Those who come next, when nothing is free with the others.
    pub fn further(&mut self, nearest_first: impl IntoIterator<Item = (Uuid, Timestamp)>) {
        let candidates = nearest_first.into_iter().take(CANDIDATES_AT_A_TIME);
        let candidates = candidates.map(|(practitioner, not_before)| Candidate {
            practitioner,
            not_before,
            slots: None,
        });
        self.left.extend(candidates);
    }

    pub fn next(&self) -> Step {
        if self.losses >= TRIES_MAX {
            return Step::TooManyLost;
        }
        let unseen = self
            .left
            .iter()
            .filter(|candidate| candidate.slots.is_none())
            .min_by_key(|candidate| candidate.not_before);
        let mut known = self.known();
        if let Some(unseen) = unseen {
            // Whoever was not looked at may have a slot as soon as this.
            known.retain(|(slot, _)| slot.start() < unseen.not_before);
            if known.is_empty() {
                return Step::Look(unseen.practitioner);
            }
        }
        match self.choice(known.len()) {
            Some(choice) => Step::Try(known[choice].1, known[choice].0),
            None => Step::NoneFree,
        }
    }

    /// The free slots of a practitioner, in order; none: they drop out.
    pub fn found(&mut self, practitioner: Uuid, slots: Vec<Slot>) {
        if slots.is_empty() {
            self.left.retain(|other| other.practitioner != practitioner);
        } else if let Some(candidate) = self.candidate(practitioner) {
            candidate.not_before = slots[0].start();
            candidate.slots = Some(slots);
        }
    }

    /// A slot that was tried was not to be had: its practitioner is looked at again.
    pub fn lost(&mut self, practitioner: Uuid) {
        self.losses += 1;
        if let Some(candidate) = self.candidate(practitioner) {
            candidate.slots = None;
        }
    }

    fn candidate(&mut self, practitioner: Uuid) -> Option<&mut Candidate> {
        let mut left = self.left.iter_mut();
        left.find(|candidate| candidate.practitioner == practitioner)
    }

    /// All slots that are known, the soonest first, then the nearest.
    fn known(&self) -> Vec<(Slot, Uuid)> {
        let of = |candidate: &Candidate| {
            let practitioner = candidate.practitioner;
            let slots = candidate.slots.clone().unwrap_or_default();
            slots.into_iter().map(move |slot| (slot, practitioner))
        };
        let mut known: Vec<_> = self.left.iter().flat_map(of).collect();
        // Stable: the nearest stay first.
        known.sort_by_key(|(slot, _)| slot.start());
        known
    }

    fn choice(&self, known: usize) -> Option<usize> {
        let wide = 1_u64.checked_shl(self.losses).unwrap_or(u64::MAX);
        let wide = wide.min(u64::try_from(known).unwrap_or(u64::MAX));
        let choice = self.chance.rotate_right(self.losses).checked_rem(wide)?;
        usize::try_from(choice).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::zone::Zone;

    const NEAR: Uuid = Uuid::from_u128(1);
    const FAR: Uuid = Uuid::from_u128(2);

    fn slot(hour: u8) -> Slot {
        let date = "2026-11-23".parse().unwrap();
        Slot::at(date, hour, &Zone::utc()).unwrap()
    }

    fn slots(hours: &[u8]) -> Vec<Slot> {
        hours.iter().copied().map(slot).collect()
    }

    /// Both may have a slot at nine.
    fn both(chance: u64) -> Candidates {
        let nine = slot(9).start();
        Candidates::new([(NEAR, nine), (FAR, nine)], chance)
    }

    #[test]
    fn of_slots_that_begin_together_the_nearest_is_tried() {
        let mut candidates = both(7);
        assert_eq!(candidates.next(), Step::Look(NEAR));
        candidates.found(NEAR, slots(&[9, 10]));
        assert_eq!(candidates.next(), Step::Look(FAR));
        candidates.found(FAR, slots(&[9]));
        assert_eq!(candidates.next(), Step::Try(NEAR, slot(9)));
    }

    #[test]
    fn the_soonest_is_tried_even_if_the_index_promised_another() {
        let mut candidates = both(7);
        candidates.found(NEAR, slots(&[11]));
        candidates.found(FAR, slots(&[10]));
        assert_eq!(candidates.next(), Step::Try(FAR, slot(10)));
    }

    #[test]
    fn who_can_have_nothing_sooner_is_not_looked_at() {
        let later = [(NEAR, slot(9).start()), (FAR, slot(10).start())];
        let mut candidates = Candidates::new(later, 7);
        candidates.found(NEAR, slots(&[9]));
        assert_eq!(candidates.next(), Step::Try(NEAR, slot(9)));
    }

    #[test]
    fn when_everybody_has_dropped_out_nothing_is_free() {
        let mut candidates = both(7);
        candidates.found(NEAR, Vec::new());
        candidates.found(FAR, slots(&[9]));
        assert_eq!(candidates.next(), Step::Try(FAR, slot(9)));
        candidates.lost(FAR);
        assert_eq!(candidates.next(), Step::Look(FAR));
        candidates.found(FAR, Vec::new());
        assert_eq!(candidates.next(), Step::NoneFree);
    }

    #[test]
    fn when_nothing_is_free_with_the_nearest_those_further_away_have_their_turn() {
        let mut candidates = Candidates::new([(NEAR, slot(9).start())], 7);
        candidates.found(NEAR, Vec::new());
        assert_eq!(candidates.next(), Step::NoneFree);
        candidates.further([(FAR, slot(10).start())]);
        assert_eq!(candidates.next(), Step::Look(FAR));
        candidates.found(FAR, slots(&[10]));
        assert_eq!(candidates.next(), Step::Try(FAR, slot(10)));
    }

    #[test]
    fn those_who_lost_the_same_slot_spread_over_the_next_ones() {
        let chosen: BTreeSet<_> = (0..8)
            .map(|chance| {
                let mut candidates = Candidates::new([(NEAR, slot(8).start())], chance);
                for _ in 0..2 {
                    candidates.lost(NEAR);
                }
                candidates.found(NEAR, slots(&[9, 10, 11, 12, 13, 14]));
                match candidates.next() {
                    Step::Try(_, slot) => slot.hour(),
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        // Two losses: one of the next four.
        assert!(chosen.len() > 1, "{chosen:?}");
        assert!(chosen.iter().all(|hour| *hour <= 12), "{chosen:?}");
    }

    #[test]
    fn it_is_given_up_after_so_many_losses() {
        let mut candidates = both(7);
        for _ in 0..TRIES_MAX {
            candidates.found(NEAR, slots(&[9]));
            candidates.lost(NEAR);
        }
        assert_eq!(candidates.next(), Step::TooManyLost);
    }
}
