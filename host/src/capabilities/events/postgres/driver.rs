//! Keeps a member in its group: heartbeats, its fair share of the partitions, wake-ups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::group::{Held, LEASE_MS, Membership, quota};
use super::lane::{Dropped, Lane};
use super::wake::Wake;
use crate::capabilities::events::{DRAIN_MS_MAX, Partition};

/// How often a member says that it lives, and looks for what a wake-up missed.
const HEARTBEAT_MS: u64 = 2_000;

/// A partition by full topic and number.
pub type At = (String, i32);

/// One member at work.
pub struct Driver {
    membership: Membership,
    /// How many partitions the group has to share.
    partitions: usize,
    assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    lanes: HashMap<At, Handle>,
    /// Tells which lanes were dropped by those who read them.
    dropped: mpsc::UnboundedReceiver<Dropped>,
    drops: mpsc::UnboundedSender<Dropped>,
    last_heartbeat: Instant,
}

/// What the driver keeps of a lane.
struct Handle {
    revoked: CancellationToken,
    news: Arc<Notify>,
    next_offset: i64,
}

impl Driver {
    pub fn new(
        membership: Membership,
        partitions: usize,
        assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    ) -> Self {
        let (drops, dropped) = mpsc::unbounded_channel();
        Self {
            membership,
            partitions,
            assigned,
            lanes: HashMap::new(),
            dropped,
            drops,
            last_heartbeat: Instant::now(),
        }
    }

    /// Takes part until `stop`, then leaves.
    pub async fn run(mut self, mut wakes: broadcast::Receiver<Wake>, stop: CancellationToken) {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let share_again = tokio::select! {
                () = stop.cancelled() => break,
                _ = heartbeat.tick() => true,
                Some(dropped) = self.dropped.recv() => self.close(dropped).await,
                wake = wakes.recv() => self.wake(wake),
            };
            if share_again {
                self.share().await;
            }
        }
        self.leave().await;
    }

    /// Commits what a lane completed before it was dropped. Its partition is shared again.
    async fn close(&mut self, Dropped { at, completed }: Dropped) -> bool {
        if let Some(completed) = completed {
            let committed = self.membership.commit(&at.0, at.1, &completed).await;
            if let Err(error) = committed {
                tracing::debug!(%error, event.topic = at.0, "could not commit what is done");
            }
        }
        self.lanes.remove(&at).is_some()
    }

    /// Passes a wake-up on; answers whether the shares may have changed.
    fn wake(&self, wake: Result<Wake, broadcast::error::RecvError>) -> bool {
        match wake {
            Ok(Wake::Log { topic, partition }) => {
                if let Some(lane) = self.lanes.get(&(topic, partition)) {
                    lane.news.notify_one();
                }
                false
            }
            Ok(Wake::Group { group }) => group == self.membership.group,
            Ok(Wake::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                for lane in self.lanes.values() {
                    lane.news.notify_one();
                }
                true
            }
            // The log was dropped: polling goes on.
            Err(broadcast::error::RecvError::Closed) => false,
        }
    }

    async fn share(&mut self) {
        match self.try_share().await {
            Ok(()) => self.last_heartbeat = Instant::now(),
            Err(error) => {
                tracing::debug!(%error, group = self.membership.group, "no heartbeat");
                // By now the others think that this member is dead.
                if self.last_heartbeat.elapsed() > Duration::from_millis(LEASE_MS) {
                    for lane in self.lanes.values() {
                        lane.revoked.cancel();
                    }
                }
            }
        }
    }

    async fn try_share(&mut self) -> sqlx::Result<()> {
        let members = self.membership.others().await?;
        let held = self.membership.renew().await?;
        self.follow(&held);
        let rank = members
            .binary_search(&self.membership.member)
            .unwrap_or_default();
        let quota = quota(self.partitions, members.len(), rank);
        self.shrink(quota);
        // Leased but read by nobody: its reader gave up, or was asked to.
        for held in held
            .into_iter()
            .filter(|held| !self.reads(held))
            .collect::<Vec<_>>()
        {
            if self.lanes.len() < quota {
                self.open(held);
            } else {
                self.membership.release(&held.topic, held.partition).await?;
            }
        }
        if self.lanes.len() < quota {
            let acquired = self.membership.acquire(quota - self.lanes.len()).await?;
            for held in acquired {
                // One that was lost and is back, while what ran in it still ends: its lane is
                // opened when that is over, or two would read it at once.
                if !self.reads(&held) {
                    self.open(held);
                }
            }
        }
        Ok(())
    }

    fn reads(&self, held: &Held) -> bool {
        self.lanes
            .contains_key(&(held.topic.clone(), held.partition))
    }

    /// Revokes what is more than this member's share.
    fn shrink(&self, quota: usize) {
        let mut active: Vec<_> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.revoked.is_cancelled())
            .collect();
        active.sort_by_key(|(at, _)| *at);
        for (_, lane) in active.iter().skip(quota) {
            lane.revoked.cancel();
        }
    }

    /// Revokes what is no longer held, and wakes lanes whose partition has grown.
    fn follow(&mut self, held: &[Held]) {
        let next: HashMap<_, _> = held
            .iter()
            .map(|held| ((held.topic.as_str(), held.partition), held.next_offset))
            .collect();
        for ((topic, partition), lane) in &mut self.lanes {
            match next.get(&(topic.as_str(), *partition)) {
                None => lane.revoked.cancel(),
                Some(next) if *next != lane.next_offset => {
                    lane.next_offset = *next;
                    lane.news.notify_one();
                }
                Some(_) => {}
            }
        }
    }

    fn open(&mut self, held: Held) {
        let at = (held.topic, held.partition);
        let handle = Handle {
            revoked: CancellationToken::new(),
            news: Arc::new(Notify::new()),
            next_offset: held.next_offset,
        };
        let lane = Lane::new(
            self.membership.clone(),
            at.clone(),
            held.progress,
            handle.news.clone(),
            handle.revoked.clone(),
            self.drops.clone(),
        );
        self.lanes.insert(at, handle);
        // If nobody takes it any more it is dropped here, and given back.
        let _ = self.assigned.send(Box::new(lane));
    }

    async fn leave(mut self) {
        for lane in self.lanes.values() {
            lane.revoked.cancel();
        }
        let drained = async {
            while !self.lanes.is_empty() {
                match self.dropped.recv().await {
                    Some(dropped) => self.close(dropped).await,
                    None => break,
                };
            }
        };
        let limit = Duration::from_millis(DRAIN_MS_MAX);
        if tokio::time::timeout(limit, drained).await.is_err() {
            tracing::warn!(
                group = self.membership.group,
                "left the group while events were being handled: they will be delivered again"
            );
        }
        if let Err(error) = self.membership.leave().await {
            tracing::debug!(%error, "could not leave the group: the leases will run out");
        }
    }
}
