//! Brings to the broker what the lanes tell: the first offset that is not done, and what is done
//! beyond it, as the offset's metadata.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::account::Account;
use super::driver::{At, Membership, until};
use crate::capabilities::events::Progress;
use crate::capabilities::events::progress::NOTE_BYTES_MAX;

/// How long what is done may wait for its commit; after a crash it is delivered again.
const COMMIT_EVERY_MS: u64 = 200;

/// How long to wait after a commit that failed.
const FAILED_PAUSE_MS: u64 = 1_000;

/// The same while the group shares its partitions anew: one sharing often follows another, and what
/// is done can only be heard between them.
const SHARING_PAUSE_MS: u64 = 100;

/// How long the broker may take to hear what is done, and as long again to hear that a member
/// leaves. Without it the group finds out by itself, and some events are delivered again.
pub const ANSWER_MS_MAX: u64 = 5_000;

/// What a member's lanes have told, and one commit of it at a time.
pub struct Commits {
    consumer: Arc<Membership>,
    accounts: HashMap<At, Arc<Account>>,
    news: Arc<Notify>,
    /// When to commit what waits.
    due: Option<Instant>,
    /// Not earlier, whatever waits.
    paused_until: Option<Instant>,
    under_way: Option<UnderWay>,
    /// The broker takes no such notes: offsets alone are committed.
    is_without_notes: bool,
}

struct UnderWay {
    ended: oneshot::Receiver<KafkaResult<()>>,
    taken: Vec<(Arc<Account>, Progress)>,
}

impl Commits {
    pub fn new(consumer: Arc<Membership>) -> Self {
        Self {
            consumer,
            accounts: HashMap::new(),
            news: Arc::default(),
            due: None,
            paused_until: None,
            under_way: None,
            is_without_notes: false,
        }
    }

    /// For a lane that is opened; an earlier one of its partition is not heard any more.
    pub fn open(&mut self, at: At, before: &Progress) -> Arc<Account> {
        let account = Arc::new(Account::new(before, self.news.clone()));
        if let Some(earlier) = self.accounts.insert(at, account.clone()) {
            earlier.close();
        }
        account
    }

    /// For partitions that are this member's no more: what is told of them is lost.
    pub fn forget(&mut self, partitions: &[At]) {
        for at in partitions {
            if let Some(account) = self.accounts.remove(at) {
                account.close();
            }
        }
    }

    /// Waits until there is something to do, and does it. It may be dropped while it waits.
    pub async fn turn(&mut self) {
        let due = match self.under_way {
            Some(_) => None,
            None => self.due,
        };
        tokio::select! {
            () = self.news.notified() => self.schedule(),
            () = until(due) => self.begin(),
            ended = ended(&mut self.under_way) => self.end(ended),
        }
    }

    /// Commits all that waits, and waits for it.
    pub async fn finish(&mut self) {
        self.wait().await;
        self.begin();
        self.wait().await;
    }

    async fn wait(&mut self) {
        if self.under_way.is_none() {
            return;
        }
        let limit = Duration::from_millis(ANSWER_MS_MAX);
        let ended = timeout(limit, ended(&mut self.under_way)).await;
        if ended.is_err() {
            tracing::warn!("the broker did not hear in time what is done");
        }
        self.end(ended.ok().flatten());
    }

    fn schedule(&mut self) {
        let mut accounts = self.accounts.values();
        let pause_ms = match accounts.any(|account| account.is_urgent()) {
            true => 0,
            false => COMMIT_EVERY_MS,
        };
        let at = Instant::now() + Duration::from_millis(pause_ms);
        let at = self.paused_until.map_or(at, |until| at.max(until));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn begin(&mut self) {
        self.due = None;
        let mut list = TopicPartitionList::new();
        let mut taken = Vec::new();
        for (at, account) in &self.accounts {
            let Some(progress) = account.take() else {
                continue;
            };
            let mut element = list.add_partition(&at.0, at.1);
            let next = i64::try_from(progress.next).unwrap_or(i64::MAX);
            if let Err(error) = element.set_offset(Offset::Offset(next)) {
                tracing::error!(%error, next, "an offset is none");
            }
            let note = progress.note();
            if !note.is_empty() && !self.is_without_notes {
                element.set_metadata(note);
            }
            taken.push((account.clone(), progress));
        }
        if taken.is_empty() {
            return;
        }
        let consumer = self.consumer.clone();
        let ended = on_a_thread(move || consumer.commit(&list, CommitMode::Sync));
        self.under_way = Some(UnderWay { ended, taken });
    }

    /// `None`: nobody knows how it ended.
    fn end(&mut self, ended: Option<KafkaResult<()>>) {
        let Some(UnderWay { taken, .. }) = self.under_way.take() else {
            return;
        };
        let pause_ms = match ended {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(self.failed(&error)),
            None => Some(FAILED_PAUSE_MS),
        };
        if let Some(pause_ms) = pause_ms {
            for (account, progress) in taken {
                account.put_back(progress);
            }
            let until = Instant::now() + Duration::from_millis(pause_ms);
            self.paused_until = Some(until);
        }
        if self.accounts.values().any(|account| account.has_news()) {
            self.schedule();
        }
    }

    /// Answers how long to wait.
    fn failed(&mut self, error: &KafkaError) -> u64 {
        match error.rdkafka_error_code() {
            // Better a crash that delivers again than no commit at all.
            Some(RDKafkaErrorCode::OffsetMetadataTooLarge) => {
                self.is_without_notes = true;
                tracing::warn!(
                    "the broker's offset.metadata.max.bytes is less than {NOTE_BYTES_MAX}: \
                     what is done beyond the first event that is not is not kept"
                );
                0
            }
            Some(
                RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId,
            ) => {
                tracing::debug!(%error, "could not commit what is done");
                SHARING_PAUSE_MS
            }
            _ => {
                tracing::warn!(%error, "could not commit what is done");
                FAILED_PAUSE_MS
            }
        }
    }
}

async fn ended(under_way: &mut Option<UnderWay>) -> Option<KafkaResult<()>> {
    match under_way {
        Some(under_way) => (&mut under_way.ended).await.ok(),
        None => std::future::pending().await,
    }
}

/// Waits [`ANSWER_MS_MAX`] at most for what blocks a thread. `None` if it goes on after that.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let limit = Duration::from_millis(ANSWER_MS_MAX);
    timeout(limit, on_a_thread(work)).await.ok()?.ok()
}

/// Does what blocks a thread; that is its own, so that no runtime waits for it when it ends.
fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done_to, done) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits if it took too long.
        _ = done_to.send(work());
    });
    done
}
