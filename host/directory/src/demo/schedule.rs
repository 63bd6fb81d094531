//! When invented practitioners receive.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::hours::{self, Week};

const WEEKS: [&str; 10] = [
    "mon-fri 9-12 13-17",
    "mon-fri 8-13",
    "mon-thu 8-12 14-18; fri 8-13",
    "mon 8-12 14-18; tue 8-12 14-18; wed 8-12; thu 8-12 14-19; fri 8-12",
    "mon-wed 9-17",
    "wed-fri 9-18",
    "mon-fri 10-13 15-20",
    "mon-fri 7-14",
    "tue-fri 9-13 14-18; sat 9-13",
    "mon 14-20; wed 14-20; fri 14-19; sat 9-14",
];

/// A usual week; one practitioner in six has one more free afternoon.
pub fn week(chance: &mut ChaCha8Rng) -> Week {
    let text = WEEKS
        .choose(chance)
        .expect("there are weeks to choose from");
    let mut week = hours::week(text).expect("the weeks are well-formed");
    if chance.random_ratio(1, 6) {
        let day = hours::WEEKDAYS[chance.random_range(0..5)];
        if let Some(hours) = week.get_mut(day) {
            hours.retain(|hour| *hour < 13);
        }
    }
    week.retain(|_, hours| !hours.is_empty());
    week
}
