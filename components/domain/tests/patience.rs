//! How long is waited, and how often.

use praxis_domain::patience::{PAUSE_MS_MAX, Patience};

fn pauses(tries_max: u32, chance: u64) -> Vec<u64> {
    let mut patience = Patience::of(tries_max);
    std::iter::from_fn(|| patience.pause_ms(chance)).collect()
}

#[test]
fn pauses_grow_to_a_limit_and_end() {
    assert_eq!(pauses(8, 0), [50, 100, 200, 400, 800, 1_600, PAUSE_MS_MAX]);
    assert_eq!(pauses(1, 0), [0; 0]);
    assert_eq!(pauses(200, 0).last(), Some(&PAUSE_MS_MAX));
}

#[test]
fn chance_takes_half_of_a_pause_at_most() {
    for chance in [1, 17, 25, 26, u64::MAX / 3, u64::MAX] {
        for (pause, whole) in pauses(8, chance).into_iter().zip(pauses(8, 0)) {
            assert!((whole / 2..=whole).contains(&pause), "{pause} of {whole}");
        }
    }
    assert_eq!(pauses(2, 25), [25]);
    assert_eq!(pauses(2, 26), [50]);
}

#[test]
fn who_had_none_left_has_it_again_once_it_is_restored() {
    let mut patience = Patience::of(2);
    assert!(!patience.was_tried());
    assert!(patience.pause_ms(0).is_some() && patience.pause_ms(0).is_none());
    assert!(patience.was_tried());
    patience.restore();
    assert!(patience.pause_ms(0).is_some());
}
