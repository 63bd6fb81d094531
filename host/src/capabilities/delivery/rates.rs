//! How much may be sent in a time: by one owner, and by all of them together.
//!
//! A provider takes so much a second, and what one owner sends must not use up what all have. Each
//! host counts for itself.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::Error;

/// So long a message waits for its turn; whoever would wait longer is told when to come back.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// After so many owners those are forgotten that sent nothing lately.
const OWNERS_KEPT: usize = 1_024;

/// What an operator allows. None: as much as they like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Of all owners together, a second.
    pub all_per_second_max: Option<NonZeroU32>,
    /// Of each owner, a minute.
    pub owner_per_minute_max: Option<NonZeroU32>,
}

type Middleware = NoOpMiddleware<Instant>;
type All = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, Middleware>;
type Owners = RateLimiter<String, HashMapStateStore<String>, MonotonicClock, Middleware>;

/// The turns on one channel. The default gives everybody theirs at once.
#[derive(Default)]
pub struct Rates {
    all: Option<All>,
    owners: Option<Owners>,
}

impl Rates {
    pub fn new(allowance: Allowance) -> Self {
        let all = allowance.all_per_second_max.map(Quota::per_second);
        let owner = allowance.owner_per_minute_max.map(Quota::per_minute);
        Self {
            all: all.map(|quota| All::direct_with_clock(quota, MonotonicClock)),
            owners: owner
                .map(|quota| Owners::new(quota, HashMapStateStore::default(), MonotonicClock)),
        }
    }

    /// Resolves when the owner may send one message.
    ///
    /// # Errors
    /// [`Error::Throttled`] where that takes too long to wait for it here.
    pub async fn turn(&self, owner: &str) -> Result<(), Error> {
        let mut waited = Duration::ZERO;
        // The owner's first: whoever is over their own share takes nothing of what all have.
        if let Some(owners) = &self.owners {
            if owners.len() > OWNERS_KEPT {
                owners.retain_recent();
            }
            let owner = owner.to_owned();
            let check = || {
                owners
                    .check_key(&owner)
                    .map_err(|not| not.wait_time_from(MonotonicClock.now()))
            };
            wait(check, &mut waited).await?;
        }
        if let Some(all) = &self.all {
            let check = || {
                all.check()
                    .map_err(|not| not.wait_time_from(MonotonicClock.now()))
            };
            wait(check, &mut waited).await?;
        }
        Ok(())
    }
}

/// Asks until it is granted, for as long as a message waits at most.
async fn wait(
    check: impl Fn() -> Result<(), Duration>,
    waited: &mut Duration,
) -> Result<(), Error> {
    while let Err(pause) = check() {
        if *waited + pause > WAIT_MAX {
            return Err(Error::Throttled(pause));
        }
        tokio::time::sleep(pause).await;
        *waited += pause;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_owner_may_not_send_takes_nothing_of_what_all_may() {
        let rates = Rates::new(Allowance {
            all_per_second_max: NonZeroU32::new(2),
            owner_per_minute_max: NonZeroU32::new(1),
        });
        rates.turn("one").await.unwrap();
        for _ in 0..20 {
            assert!(rates.turn("one").await.is_err());
        }
        // The second of this second, at once.
        assert!(rates.all.unwrap().check().is_ok());
    }

    #[tokio::test]
    async fn owners_who_sent_nothing_lately_are_forgotten() {
        // So many a minute that all of it is back in no time.
        let rates = Rates::new(Allowance {
            owner_per_minute_max: NonZeroU32::new(u32::MAX),
            ..Allowance::default()
        });
        for number in 0..3 * OWNERS_KEPT {
            rates.turn(&number.to_string()).await.unwrap();
        }
        assert!(rates.owners.unwrap().len() <= OWNERS_KEPT + 1);
    }
}
