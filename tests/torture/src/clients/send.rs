//! Sends deeds until they are answered, and records what became of them.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, sleep};
use uuid::{Builder, Uuid};

use super::Client;
use super::api::Heard;
use crate::history::{Deed, Operation, Outcome, Told};
use crate::journal;

const PATIENCE_MS_MAX: u64 = 25_000;
const PAUSE_MS_MAX: u64 = 250;
const TWICE_AT_ONCE: f64 = 0.05;

impl Client {
    /// Sends a deed until it is answered; now and then twice at once.
    pub(crate) async fn perform(&mut self, subject: &str, deed: Deed) -> Outcome {
        let key = deed.has_key().then(|| {
            let key = Builder::from_random_bytes(self.chance.random()).into_uuid();
            key.to_string()
        });
        if key.is_some() && self.chance.random_bool(TWICE_AT_ONCE) {
            let (mut one, mut other) = (self.deputy(), self.deputy());
            let (first, second) = futures::join!(
                one.send(subject, deed, key.clone()),
                other.send(subject, deed, key.clone())
            );
            return match first {
                Outcome::Done(_) => first,
                Outcome::Refused { .. } | Outcome::Unknown => second,
            };
        }
        self.send(subject, deed, key).await
    }

    async fn send(&mut self, subject: &str, deed: Deed, key: Option<String>) -> Outcome {
        let invoked_us = self.crowd.recorder.now_us();
        let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS_MAX);
        // How many may have been read by a host.
        let mut tries = 0;
        let mut is_unclear = false;
        let outcome = loop {
            let base = self.any_base();
            let crowd = &self.crowd;
            let heard = crowd
                .api
                .attempt(&crowd.town, &base, subject, &deed, key.as_deref())
                .await;
            tries += u32::from(!matches!(heard, Heard::NotSent));
            match heard {
                Heard::Done(told) => break Outcome::Done(told),
                // An earlier try may have done what now stands in the way.
                Heard::Refused { .. } if is_unclear => break Outcome::Unknown,
                Heard::Refused { status, problem } => break Outcome::Refused { status, problem },
                Heard::NotSent => {}
                Heard::Nothing(why) => {
                    self.crowd.note(why);
                    is_unclear = true;
                    // Sent again, a hold would be another one.
                    if matches!(deed, Deed::Hold { .. }) {
                        break Outcome::Unknown;
                    }
                }
            }
            if Instant::now() > deadline {
                break match is_unclear {
                    true => Outcome::Unknown,
                    false => Outcome::Refused {
                        status: 0,
                        problem: "not sent".to_owned(),
                    },
                };
            }
            let pause = self.chance.random_range(20..=PAUSE_MS_MAX);
            sleep(Duration::from_millis(pause)).await;
        };
        self.record(subject, deed, key, invoked_us, tries, outcome.clone());
        outcome
    }

    /// Keeps a hold no longer. Where time can be hastened, it has run out at once.
    pub(super) async fn let_expire(&mut self, subject: &str, hold: Uuid) {
        let Some(database) = self.crowd.hasten.clone() else {
            return;
        };
        let invoked_us = self.crowd.recorder.now_us();
        let expired = async {
            let [quietly, now] = journal::LET_EXPIRE;
            let mut transaction = database.begin().await?;
            sqlx::query(quietly).execute(&mut *transaction).await?;
            let expired = sqlx::query(now).bind(hold).execute(&mut *transaction);
            expired.await?;
            transaction.commit().await
        };
        let outcome = match expired.await {
            Ok(()) => Outcome::Done(Told::Nothing),
            // PostgreSQL is away, perhaps since the commit.
            Err(_) => Outcome::Unknown,
        };
        let deed = Deed::LetExpire { hold };
        self.record(subject, deed, None, invoked_us, 1, outcome);
    }

    fn record(
        &self,
        subject: &str,
        deed: Deed,
        key: Option<String>,
        invoked_us: u64,
        tries: u32,
        outcome: Outcome,
    ) {
        self.crowd.recorder.record(Operation {
            subject: subject.to_owned(),
            deed,
            key,
            invoked_us,
            completed_us: self.crowd.recorder.now_us(),
            tries,
            outcome,
        });
    }
}
