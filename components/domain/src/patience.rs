//! How often a change that gave way to others is tried again, and how long is waited before.

/// Before the second try.
pub const PAUSE_MS_FIRST: u64 = 50;
/// However many tries went before.
pub const PAUSE_MS_MAX: u64 = 2_000;

/// What is left of the tries.
#[derive(Debug)]
pub struct Patience {
    tries: u32,
    tries_max: u32,
}

impl Patience {
    pub fn of(tries_max: u32) -> Self {
        Self {
            tries: 1,
            tries_max,
        }
    }

    /// After a try that failed: how long to wait before the next one, or that there is none. Each pause is
    /// twice the one before, less a part by `chance` (any number) that is half of it at most: those who
    /// met once do not meet again at each try.
    pub fn pause_ms(&mut self, chance: u64) -> Option<u64> {
        if self.tries >= self.tries_max {
            return None;
        }
        let doubled = self.tries.saturating_sub(1).min(u64::BITS - 1);
        let pause = PAUSE_MS_FIRST.saturating_mul(1 << doubled);
        let pause = pause.min(PAUSE_MS_MAX);
        self.tries += 1;
        Some(pause - chance % (pause / 2 + 1))
    }

    /// Whether anything was tried more than once.
    pub fn was_tried(&self) -> bool {
        self.tries > 1
    }

    /// What was waited for has come: the next change may be tried as often again.
    pub fn restore(&mut self) {
        self.tries = 1;
    }
}
