//! The days of a practitioner: from the bitmap, or loaded from the database once, however many ask,
//! on however many hosts.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::calendar::Day;
use praxis_domain::terms::Terms;
use praxis_domain::zone::Zone;
use praxis_platform::cache::{self, Cache};
use praxis_platform::clock;
use praxis_platform::database::{self, Database};
use praxis_platform::problem::Problem;
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

use crate::bitmap::{self, Answer, Claim};

/// How often those who wait look whether it is loaded.
const LOOK_EVERY_MS: u64 = 20;
/// How often they look, three seconds in all, before they ask the database themselves: whoever loads
/// may have ended with its host, and the claim outlives it by `bitmap::CLAIM_TTL_MS`.
const LOOKS_MAX: u32 = 150;

/// The days that were asked for, as far as they can be booked.
pub struct Loaded {
    pub zone: Zone,
    pub terms: Terms,
    pub days: Vec<Day>,
    pub source: Source,
}

/// Which path answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Bitmap,
    Database,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Database => "database",
        }
    }
}

/// What there is of a practitioner.
enum Found {
    Days(Loaded),
    Inactive,
    Nobody,
}

impl Found {
    fn answer(self) -> Result<Loaded, Problem> {
        match self {
            Self::Days(loaded) => Ok(loaded),
            Self::Inactive | Self::Nobody => Err(Problem::not_found()),
        }
    }
}

/// Why the cache did not help.
enum Failed {
    Cache(cache::Error),
    Database(database::Error),
}

impl From<cache::Error> for Failed {
    fn from(error: cache::Error) -> Self {
        Self::Cache(error)
    }
}

impl From<database::Error> for Failed {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

/// The days of some dates within the horizon, in order, or 404. A cache that can't be reached has
/// nothing loaded, and holds nobody up.
pub async fn days(
    cache: Result<&Cache, &cache::Error>,
    practitioner: Uuid,
    dates: &[Date],
    now: Timestamp,
) -> Result<Loaded, Problem> {
    let asked = Asked {
        practitioner,
        dates,
        now,
    };
    let cached = match cache {
        Ok(cache) => asked.through(cache).await,
        Err(error) => Err(error.clone().into()),
    };
    match cached {
        Ok(Some(found)) => found.answer(),
        Ok(None) => asked.ask_database(None).await?.answer(),
        Err(Failed::Cache(error)) => {
            eprintln!("availability is answered from the database: {error}");
            asked.ask_database(None).await?.answer()
        }
        Err(Failed::Database(error)) => Err(error.into()),
    }
}

struct Asked<'a> {
    practitioner: Uuid,
    dates: &'a [Date],
    now: Timestamp,
}

impl Asked<'_> {
    /// From the cache, or loaded into it by the one whose turn it is. None: that took too long.
    async fn through(&self, cache: &Cache) -> Result<Option<Found>, Failed> {
        if let Some(found) = self.look(cache).await? {
            return Ok(Some(found));
        }
        for _ in 0..LOOKS_MAX {
            match bitmap::claim(cache, self.practitioner).await? {
                Claim::Ours(token) => return self.load(cache, &token).await.map(Some),
                Claim::NobodyThere => return Ok(Some(Found::Nobody)),
                Claim::Others => clock::pause(LOOK_EVERY_MS).await,
            }
            if let Some(found) = self.look(cache).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn look(&self, cache: &Cache) -> Result<Option<Found>, cache::Error> {
        let answer = bitmap::read(cache, self.practitioner, self.dates, self.now).await?;
        Ok(match answer {
            Answer::Days { zone, terms, days } => Some(Found::Days(Loaded {
                zone,
                terms,
                days,
                source: Source::Bitmap,
            })),
            Answer::Inactive => Some(Found::Inactive),
            Answer::NotLoaded => None,
        })
    }

    /// Nobody else loads while the claim is ours.
    async fn load(&self, cache: &Cache, token: &str) -> Result<Found, Failed> {
        // It may have been filled between our look and our claim.
        let outcome = match self.look(cache).await? {
            Some(found) => Ok(found),
            None => self.ask_database(Some(cache)).await,
        };
        let is_there = !matches!(outcome, Ok(Found::Nobody));
        if let Err(error) = bitmap::release(cache, self.practitioner, token, is_there).await {
            eprintln!("a claim to load has to run out: {error}");
        }
        Ok(outcome?)
    }

    /// All that can be booked is kept, whatever is asked: who asks for other dates finds them.
    async fn ask_database(&self, cache: Option<&Cache>) -> Result<Found, database::Error> {
        let database = Database::open().await?;
        let snapshot = Snapshot::load_bookable(&database, self.practitioner, self.now).await?;
        let Some(snapshot) = snapshot else {
            return Ok(Found::Nobody);
        };
        let terms = snapshot.schedule.terms;
        if let Some(cache) = cache {
            let (first, last) = terms.dates_anywhere(self.now);
            let days = snapshot.days(first, last);
            if let Err(error) = bitmap::fill(cache, self.practitioner, &snapshot, &days).await {
                eprintln!("could not fill the bitmap: {error}");
            }
        }
        if !snapshot.active {
            return Ok(Found::Inactive);
        }
        let range = self.dates.first().zip(self.dates.last());
        let days = range.map(|(first, last)| snapshot.days(*first, *last));
        Ok(Found::Days(Loaded {
            days: days.unwrap_or_default(),
            zone: snapshot.schedule.zone,
            terms,
            source: Source::Database,
        }))
    }
}
