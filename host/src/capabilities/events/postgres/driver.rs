//! Keeps a member in its group: heartbeats, its fair share of the partitions, wake-ups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::group::{Held, LEASE, Membership, Partitions, quotas};
use super::lane::{Dropped, Lane, News};
use super::tails::Tails;
use super::wake::Wake;
use crate::capabilities::events::{DRAIN_MS_MAX, Partition};

/// How often a member says that it lives, and looks for what a wake-up missed.
const HEARTBEAT_MS: u64 = 2_000;

/// A partition by full topic and number.
pub type At = (String, i32);

/// One member at work.
pub struct Driver {
    membership: Membership,
    /// What the group has to share.
    partitions: Partitions,
    tails: Tails,
    assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    lanes: HashMap<At, Handle>,
    /// Tells which lanes were dropped by those who read them.
    dropped: mpsc::UnboundedReceiver<Dropped>,
    drops: mpsc::UnboundedSender<Dropped>,
    /// Until when the leases hold for certain: counted from when a renewal was sent, so never later
    /// than the database counts.
    leased_until: Instant,
}

/// What the driver keeps of a lane.
struct Handle {
    revoked: CancellationToken,
    /// Its lease ran out, or another member has it.
    lost: CancellationToken,
    news: Arc<News>,
    next_offset: i64,
}

impl Driver {
    pub fn new(
        membership: Membership,
        partitions: Partitions,
        tails: Tails,
        assigned: mpsc::UnboundedSender<Box<dyn Partition>>,
    ) -> Self {
        let (drops, dropped) = mpsc::unbounded_channel();
        Self {
            membership,
            partitions,
            tails,
            assigned,
            lanes: HashMap::new(),
            dropped,
            drops,
            leased_until: Instant::now(),
        }
    }

    /// Takes part until `stop`, then leaves.
    pub async fn run(mut self, mut wakes: broadcast::Receiver<Wake>, stop: CancellationToken) {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let share_again = tokio::select! {
                () = stop.cancelled() => break,
                () = sleep_until(self.leased_until), if self.holds() => {
                    self.lose();
                    false
                }
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
        let Some(lane) = self.lanes.remove(&at) else {
            return false;
        };
        if let Some(completed) = completed
            && !lane.lost.is_cancelled()
        {
            let limit = self.limit();
            let committing = self.membership.commit(&at.0, at.1, &completed);
            match timeout_at(limit, committing).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, event.topic = at.0, "could not commit what is done");
                }
                Err(_) => tracing::debug!(event.topic = at.0, "no answer to a commit in time"),
            }
        }
        true
    }

    /// Passes a wake-up on; answers whether the shares may have changed.
    fn wake(&self, wake: Result<Wake, broadcast::error::RecvError>) -> bool {
        match wake {
            Ok(Wake::Log {
                topic,
                partition,
                end,
            }) => {
                if let Some(lane) = self.lanes.get(&(topic, partition)) {
                    lane.news.tell(Some(end));
                }
                false
            }
            Ok(Wake::Group { group }) => group == self.membership.group,
            Ok(Wake::Everything) | Err(broadcast::error::RecvError::Lagged(_)) => {
                for lane in self.lanes.values() {
                    lane.news.tell(None);
                }
                true
            }
            // The log was dropped: polling goes on.
            Err(broadcast::error::RecvError::Closed) => false,
        }
    }

    /// Whether any partition counts as this member's.
    fn holds(&self) -> bool {
        self.lanes.values().any(|lane| !lane.lost.is_cancelled())
    }

    /// How long the database may take to answer: no longer than the leases hold.
    fn limit(&self) -> Instant {
        if self.holds() {
            self.leased_until
        } else {
            Instant::now() + LEASE
        }
    }

    /// The leases have run out: the others may have the partitions already. What is being handled
    /// is dropped.
    fn lose(&self) {
        tracing::warn!(
            group = self.membership.group,
            "the leases of a consumer ran out without an answer from the database"
        );
        for lane in self.lanes.values() {
            lane.lost.cancel();
        }
    }

    async fn share(&mut self) {
        let limit = self.limit();
        let shared = timeout_at(limit, self.try_share()).await;
        self.note_heartbeat(shared);
    }

    fn note_heartbeat(&self, heartbeat: Result<sqlx::Result<()>, Elapsed>) {
        let group = &self.membership.group;
        match heartbeat {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, group, "no heartbeat"),
            Err(_) => tracing::debug!(group, "no answer to a heartbeat in time"),
        }
        if self.holds() && self.leased_until <= Instant::now() {
            self.lose();
        }
    }

    /// Renews the leases, and drops what is another's by now.
    async fn renew(&mut self) -> sqlx::Result<Vec<Held>> {
        let sent = Instant::now();
        let held = self.membership.renew().await?;
        self.leased_until = sent + LEASE;
        self.follow(&held);
        Ok(held)
    }

    async fn try_share(&mut self) -> sqlx::Result<()> {
        let members = self.membership.others().await?;
        let held = self.renew().await?;
        let rank = members
            .binary_search(&self.membership.member)
            .unwrap_or_default();
        let quotas = quotas(&self.partitions, members.len(), rank);
        self.shrink(&quotas);
        // Leased but read by nobody: its reader gave up, or was asked to.
        for held in held
            .into_iter()
            .filter(|held| !self.reads(held))
            .collect::<Vec<_>>()
        {
            if self.wants(&quotas, &held.topic) > 0 {
                self.open(held);
            } else {
                self.membership.release(&held.topic, held.partition).await?;
            }
        }
        for topic in quotas.keys() {
            let wanted = self.wants(&quotas, topic);
            if wanted == 0 {
                continue;
            }
            for held in self.membership.acquire(topic, wanted).await? {
                // One that was lost and is back, while what ran in it still ends: its lane is
                // opened when that is over, or two would read it at once.
                if !self.reads(&held) {
                    self.open(held);
                }
            }
        }
        Ok(())
    }

    /// How many more partitions of a topic are this member's to read.
    fn wants(&self, quotas: &Partitions, topic: &str) -> usize {
        let read = self.lanes.keys().filter(|(of, _)| of == topic).count();
        quotas.get(topic).copied().unwrap_or(0).saturating_sub(read)
    }

    fn reads(&self, held: &Held) -> bool {
        self.lanes
            .contains_key(&(held.topic.clone(), held.partition))
    }

    /// Revokes what is more than this member's share.
    fn shrink(&self, quotas: &Partitions) {
        let mut active: Vec<_> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.revoked.is_cancelled())
            .collect();
        active.sort_by_key(|(at, _)| *at);
        let mut kept = Partitions::new();
        for ((topic, _), lane) in active {
            let kept = kept.entry(topic.clone()).or_default();
            if *kept < quotas.get(topic).copied().unwrap_or(0) {
                *kept += 1;
            } else {
                lane.revoked.cancel();
            }
        }
    }

    /// Drops what is no longer held, and wakes lanes whose partition has grown.
    fn follow(&mut self, held: &[Held]) {
        let next: HashMap<_, _> = held
            .iter()
            .map(|held| ((held.topic.as_str(), held.partition), held.next_offset))
            .collect();
        for ((topic, partition), lane) in &mut self.lanes {
            match next.get(&(topic.as_str(), *partition)) {
                None => lane.lost.cancel(),
                Some(next) if *next != lane.next_offset => {
                    lane.next_offset = *next;
                    lane.news.tell(Some(*next));
                }
                Some(_) => {}
            }
        }
    }

    fn open(&mut self, held: Held) {
        let at = (held.topic, held.partition);
        let lost = CancellationToken::new();
        let handle = Handle {
            revoked: lost.child_token(),
            lost,
            news: Arc::default(),
            next_offset: held.next_offset,
        };
        let lane = Lane::new(
            self.membership.clone(),
            at.clone(),
            (held.progress, held.next_offset),
            (self.tails.clone(), handle.news.clone()),
            handle.revoked.clone(),
            handle.lost.clone(),
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
        let limit = Duration::from_millis(DRAIN_MS_MAX);
        if timeout(limit, self.drain()).await.is_err() {
            tracing::warn!(
                group = self.membership.group,
                "left the group while events were being handled: they will be delivered again"
            );
        }
        match timeout(LEASE, self.membership.leave()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "could not leave the group: the leases will run out");
            }
            Err(_) => tracing::debug!("no answer in time: the leases will run out"),
        }
    }

    /// Waits until all lanes are dropped. Until then they are this member's: it renews the leases,
    /// and says no more that it wants any.
    async fn drain(&mut self) {
        let mut heartbeat = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.lanes.is_empty() {
            tokio::select! {
                () = sleep_until(self.leased_until), if self.holds() => self.lose(),
                Some(dropped) = self.dropped.recv() => {
                    self.close(dropped).await;
                }
                _ = heartbeat.tick() => {
                    let limit = self.limit();
                    let renewed = timeout_at(limit, self.renew()).await;
                    self.note_heartbeat(renewed.map(|renewed| renewed.map(drop)));
                }
            }
        }
    }
}
