//! The cache of days: read in one round trip, written only by what is newer, and in both generations
//! where there are two.

pub mod generations;
mod scripts;

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::audit::bitmap::Hash;
use praxis_domain::bitmap;
use praxis_domain::calendar::Day;
use praxis_domain::terms::Terms;
use praxis_domain::zone::Zone;
use praxis_platform::cache::{Cache, Error};
use praxis_platform::clock;
use praxis_platform::days;
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

use scripts::{APPLY, CLAIM, FILL, HEAL, RELEASE, RESET};

/// A hash lives this long and is then loaded anew, which also drops the days that are over.
const HASH_TTL_SECONDS: i64 = 7 * 24 * 60 * 60;

/// How long one may load before others may: longer than a statement takes.
const CLAIM_TTL_MS: u64 = 1_000;
/// How long it is known that there is no such practitioner.
const NOBODY_TTL_MS: u64 = 1_000;
/// What stands in a claim's place then.
const NOBODY: &str = "nobody";

/// What the cache says of a range of dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Every date is there that can be booked.
    Days {
        zone: Zone,
        terms: Terms,
        days: Vec<Day>,
    },
    /// The practitioner is not active.
    Inactive,
    /// At least one date is missing.
    NotLoaded,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one, or known already.
    UpToDate,
    /// Events are missing before it, or all of them, in one generation at least: load the practitioner
    /// from the database, and `catch_up`.
    Gap,
}

/// One hour of one date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    pub date: Date,
    pub hour: u8,
    pub booked: bool,
}

/// Whose turn it is to load a practitioner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Ours, by this token.
    Ours(String),
    Others,
    /// Somebody looked just now: there is no such practitioner.
    NobodyThere,
}

/// The days of a practitioner that can be booked at `now`, as far as the cache has them all. How far
/// ahead that is stands beside them.
pub async fn read(
    cache: &Cache,
    practitioner: Uuid,
    dates: &[Date],
    now: Timestamp,
) -> Result<Answer, Error> {
    let hash = hash(cache, practitioner, dates).await?;
    let (Some(_version), Some(zone), Some(terms)) = (hash.version, hash.zone, hash.terms) else {
        return Ok(Answer::NotLoaded);
    };
    if zone.is_empty() {
        return Ok(Answer::Inactive);
    }
    let (Ok(zone), Some(terms)) = (Zone::parse(&zone), bitmap::decode_terms(&terms)) else {
        return Ok(Answer::NotLoaded);
    };
    let (first, last) = terms.dates(&zone, now);
    let bookable = hash.days.into_iter();
    let bookable = bookable.filter(|(date, _)| first <= *date && *date <= last);
    let days: Option<Vec<Day>> = bookable
        .map(|(date, value)| bitmap::decode(date, value.as_deref()?))
        .collect();
    Ok(match days {
        Some(days) => Answer::Days { zone, terms, days },
        None => Answer::NotLoaded,
    })
}

/// All that is there of some dates, as it is.
pub async fn hash(cache: &Cache, practitioner: Uuid, dates: &[Date]) -> Result<Hash, Error> {
    let mut fields = [bitmap::VERSION, bitmap::ZONE, bitmap::TERMS]
        .map(str::to_owned)
        .to_vec();
    fields.extend(dates.iter().map(|date| bitmap::field(*date)));
    let values = days::fields(cache, practitioner, &fields).await?;
    let mut values = values.into_iter();
    Ok(Hash {
        version: values.next().flatten(),
        zone: values.next().flatten(),
        terms: values.next().flatten(),
        days: dates.iter().copied().zip(values).collect(),
    })
}

/// The stream version up to which the cache is right; none where nothing is loaded.
pub async fn version(cache: &Cache, practitioner: Uuid) -> Result<Option<String>, Error> {
    let version = [bitmap::VERSION.to_owned()];
    let mut values = days::fields(cache, practitioner, &version).await?;
    Ok(values.pop().flatten())
}

/// Asks for the turn to load a practitioner.
pub async fn claim(cache: &Cache, practitioner: Uuid) -> Result<Claim, Error> {
    let token = clock::new_id().to_string();
    let key = bitmap::claim_key(cache.prefix(), practitioner);
    let arguments = [token.clone(), CLAIM_TTL_MS.to_string()];
    Ok(match cache.said(&CLAIM, &[key], &arguments).await? {
        held if held == token => Claim::Ours(token),
        held if held == NOBODY => Claim::NobodyThere,
        _ => Claim::Others,
    })
}

/// Gives the turn back. `is_there`: whether there is such a practitioner.
pub async fn release(
    cache: &Cache,
    practitioner: Uuid,
    token: &str,
    is_there: bool,
) -> Result<(), Error> {
    let left = if is_there { "" } else { NOBODY };
    let key = bitmap::claim_key(cache.prefix(), practitioner);
    let arguments = [token.to_owned(), left.to_owned(), NOBODY_TTL_MS.to_string()];
    cache.said(&RELEASE, &[key], &arguments).await?;
    Ok(())
}

/// Keeps days that were loaded from the database, unless newer ones are there.
pub async fn fill(
    cache: &Cache,
    practitioner: Uuid,
    snapshot: &Snapshot,
    days: &[Day],
) -> Result<(), Error> {
    let mut arguments = head(snapshot).to_vec();
    for day in days {
        arguments.push(bitmap::field(day.date));
        arguments.push(bitmap::encode(day, snapshot.version));
    }
    let keys = days::keys(cache, practitioner);
    cache.said(&FILL, &keys, &arguments).await?;
    Ok(())
}

/// Applies one event to the days that are loaded.
pub async fn apply(
    cache: &Cache,
    practitioner: Uuid,
    version: u64,
    changes: &[Change],
) -> Result<Applied, Error> {
    let mut arguments = vec![version.to_string()];
    for change in changes {
        arguments.push(bitmap::field(change.date));
        arguments.push((1_u32 << change.hour).to_string());
        arguments.push(if change.booked { "1" } else { "0" }.to_owned());
    }
    let keys = days::keys(cache, practitioner);
    let said = cache.said(&APPLY, &keys, &arguments).await?;
    let has_gap = said.split(' ').any(|word| word == "gap");
    Ok(match has_gap {
        true => Applied::Gap,
        false => Applied::UpToDate,
    })
}

/// Starts a practitioner anew at a snapshot: its days are loaded when somebody asks.
pub async fn reset(cache: &Cache, practitioner: Uuid, snapshot: &Snapshot) -> Result<(), Error> {
    start_anew(cache, practitioner, snapshot, "").await
}

/// As `reset`, in those generations only that are behind the snapshot.
pub async fn catch_up(cache: &Cache, practitioner: Uuid, snapshot: &Snapshot) -> Result<(), Error> {
    start_anew(cache, practitioner, snapshot, "older").await
}

async fn start_anew(
    cache: &Cache,
    practitioner: Uuid,
    snapshot: &Snapshot,
    which: &str,
) -> Result<(), Error> {
    let mut arguments = head(snapshot).to_vec();
    arguments.push(which.to_owned());
    let keys = days::keys(cache, practitioner);
    let said = cache.said(&RESET, &keys, &arguments).await?;
    // What is being built is to have its days before anybody asks.
    let words: Vec<_> = said.split(' ').collect();
    if let [_, "building", generation, _] = words[..]
        && let Ok(generation) = generation.parse()
    {
        generations::load(cache, generation, &[(practitioner, snapshot)]).await?;
    }
    Ok(())
}

/// Puts a whole snapshot in the place of a hash that is wrong at the version that was seen, and of the one
/// beside it if that is of the same version. False: the one that answers has another version by now.
pub async fn heal(
    cache: &Cache,
    practitioner: Uuid,
    seen: Option<&str>,
    snapshot: &Snapshot,
) -> Result<bool, Error> {
    let keys = days::keys(cache, practitioner);
    let arguments = [
        seen.unwrap_or_default().to_owned(),
        HASH_TTL_SECONDS.to_string(),
        generations::whole(snapshot),
    ];
    let said = cache.said(&HEAL, &keys, &arguments).await?;
    Ok(said.split(' ').next() == Some("healed"))
}

fn head(snapshot: &Snapshot) -> [String; 4] {
    let zone = if snapshot.active {
        snapshot.zone().name()
    } else {
        // Not active: nothing of theirs is answered from here.
        ""
    };
    [
        snapshot.version.to_string(),
        zone.to_owned(),
        bitmap::encode_terms(snapshot.schedule.terms),
        HASH_TTL_SECONDS.to_string(),
    ]
}
