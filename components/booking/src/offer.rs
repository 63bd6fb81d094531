//! A slot that somebody wants: looked up, and offered or not.

use jiff::{Timestamp, ToSpan as _};
use praxis_domain::booking;
use praxis_domain::slot::Slot;
use praxis_domain::terms;
use praxis_domain::zone::Zone;
use praxis_platform::database::{self, Database};
use praxis_platform::problem::Problem;
use praxis_platform::snapshot::Snapshot;
use praxis_platform::zones;
use uuid::Uuid;

use crate::{precheck, refusal, sql, store};

/// A practitioner's time around a slot that somebody wants.
pub struct Wanted {
    pub practitioner: Uuid,
    pub snapshot: Snapshot,
    slot_start: Timestamp,
    now: Timestamp,
    /// Whether the snapshot has every bookable day: loaded where the bitmap has the slot as booked,
    /// because then others will probably have to be proposed.
    is_whole: bool,
}

impl Wanted {
    /// 404 where there is no such practitioner.
    pub async fn load(
        database: &Database,
        practitioner: Uuid,
        slot_start: Timestamp,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let is_whole = precheck::says_booked(practitioner, slot_start).await;
        let snapshot = if is_whole {
            Snapshot::load_bookable(database, practitioner, now).await?
        } else {
            around(database, practitioner, slot_start, now).await?
        };
        Ok(Self {
            practitioner,
            snapshot: snapshot.ok_or_else(Problem::not_found)?,
            slot_start,
            now,
            is_whole,
        })
    }

    /// As `load`, from what was loaded already.
    pub fn of(
        practitioner: Uuid,
        snapshot: Snapshot,
        slot_start: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            practitioner,
            snapshot,
            slot_start,
            now,
            is_whole: false,
        }
    }

    /// The slot, if it is offered and nobody has it; else 422 or 409.
    pub async fn offered(&self, database: &Database) -> Result<Slot, Problem> {
        let snapshot = &self.snapshot;
        let slot = self.in_schedule()?;
        if !snapshot.is_booked(&slot) {
            return Ok(slot);
        }
        if self.is_whole {
            return Err(refusal::taken(snapshot, self.now));
        }
        Err(self.taken(database).await)
    }

    /// The slot, if the practitioner offers it to anybody; else 422.
    fn in_schedule(&self) -> Result<Slot, Problem> {
        let Snapshot {
            schedule, active, ..
        } = &self.snapshot;
        let offered = booking::offer(self.slot_start, schedule, *active, self.now);
        offered.map_err(refusal::not_offered)
    }

    /// The slot, if the practitioner still works then, for who holds it already; else 422.
    pub fn stands(&self) -> Result<Slot, Problem> {
        let Snapshot {
            schedule, active, ..
        } = &self.snapshot;
        let stands = booking::stands(self.slot_start, schedule, *active);
        stands.map_err(refusal::not_offered)
    }

    /// Before the slot is taken: holds at other places of the person's that have run out give way, so
    /// that only what is live refuses it.
    pub async fn make_way(&self, database: &Database) -> Result<(), database::Error> {
        if self.snapshot.person.is_none() {
            return Ok(());
        }
        let parameters = vec![
            database::uuid(self.practitioner),
            database::seconds(self.slot_start),
            database.trace(),
        ];
        let given_way = async || {
            database
                .rows(sql::EXPIRE_ELSEWHERE, parameters.clone())
                .await
        };
        store::retried(given_way).await?;
        Ok(())
    }

    /// Tells the database the rules of the practitioner's zone, which it had not, or otherwise.
    pub async fn teach_zone(&self, database: &Database) -> Result<(), database::Error> {
        zones::keep(database, [self.snapshot.zone()], self.now).await
    }

    /// 409, with what is free instead at this moment.
    pub async fn taken(&self, database: &Database) -> Problem {
        match Snapshot::load_bookable(database, self.practitioner, self.now).await {
            Ok(Some(snapshot)) => refusal::taken(&snapshot, self.now),
            Ok(None) => Problem::not_found(),
            Err(error) => error.into(),
        }
    }
}

/// A practitioner's time around a slot: the local date is within a day of the one in UTC. What can't be booked anyway is not looked up.
pub async fn around(
    database: &Database,
    practitioner: Uuid,
    slot_start: Timestamp,
    now: Timestamp,
) -> Result<Option<Snapshot>, database::Error> {
    let (first, last) = terms::dates_of_anybody(now);
    let date = Zone::utc().date(slot_start).clamp(first, last);
    let (from, to) = (date.saturating_sub(1.day()), date.saturating_add(1.day()));
    Snapshot::load(database, practitioner, from, to).await
}
