//! The generations of the hashes: a whole one is made beside the one that answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::audit::bitmap::Hash;
use praxis_domain::bitmap::{self, GENERATION_FIRST};
use praxis_domain::{calendar, terms};
use praxis_platform::cache::{Cache, Error, Script};
use praxis_platform::clock;
use praxis_platform::problem::Problem;
use praxis_platform::rebuild::{Beside, BesideRole, State, conflict};
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

use super::scripts::{BEGIN, LOAD, REMOVE, STATE, SWITCH, WHOLE};
use super::{HASH_TTL_SECONDS, head};

/// Hashes of one script: Redis does nothing else while it runs, so it is to take a few milliseconds.
const HASHES_PER_SCRIPT: usize = 50;

/// Which generations there are.
pub async fn state(cache: &Cache) -> Result<State, Error> {
    let values = cache.run(&STATE, &[key(cache)], &[]).await?;
    let mut values = values.into_iter();
    let mut number = || {
        let text = values.next().flatten();
        text.map(|text| text.parse::<u64>()).transpose()
    };
    let odd = |_| Error::Broken("a generation is no number".into());
    let current = number().map_err(odd)?.unwrap_or(GENERATION_FIRST);
    let generation = number().map_err(odd)?;
    let role = match values.next().flatten().as_deref() {
        Some("building") => Some(BesideRole::Building),
        Some("previous") => Some(BesideRole::Previous),
        Some(_) | None => None,
    };
    let beside = generation.zip(role);
    let beside = beside.map(|(generation, role)| Beside { generation, role });
    Ok(State { current, beside })
}

/// Begins an empty one, of a number that no other ever had: what Redis kept of another would count.
pub async fn begin(cache: &Cache) -> Result<u64, Problem> {
    let generation = clock::now().as_millisecond().unsigned_abs();
    change(cache, &BEGIN, generation).await?;
    Ok(generation)
}

pub async fn switch(cache: &Cache, generation: u64) -> Result<(), Problem> {
    change(cache, &SWITCH, generation).await
}

/// From now on nobody writes there. Its hashes are left, for `sweep`.
pub async fn remove(cache: &Cache, generation: u64) -> Result<(), Problem> {
    change(cache, &REMOVE, generation).await
}

async fn change(cache: &Cache, script: &Script, generation: u64) -> Result<(), Problem> {
    let arguments = [generation.to_string()];
    match cache.said(script, &[key(cache)], &arguments).await? {
        said if said == "done" => Ok(()),
        _ => Err(conflict(shown(&state(cache).await?))),
    }
}

/// Which there are, for errors.
pub fn shown(state: &State) -> String {
    let current = state.current;
    match state.beside {
        None => format!("generation {current} answers, and there is none beside it"),
        Some(Beside { generation, role }) => {
            let role = match role {
                BesideRole::Building => "being built",
                BesideRole::Previous => "kept as the previous one",
            };
            format!("generation {current} answers, and {generation} is {role}")
        }
    }
}

/// Takes away what is left of a generation that is none any more.
pub async fn sweep(cache: &Cache, generation: u64, practitioners: &[Uuid]) -> Result<(), Error> {
    let keys = practitioners.iter();
    let keys: Vec<_> = keys
        .map(|practitioner| bitmap::key_of(cache.prefix(), *practitioner, generation))
        .collect();
    match keys.is_empty() {
        true => Ok(()),
        false => cache.unlink(&keys).await,
    }
}

/// Puts snapshots of every date that can be booked into the generation that is being built; what is
/// newer there stays. False: it is not this one that is being built.
pub async fn load(
    cache: &Cache,
    generation: u64,
    snapshots: &[(Uuid, &Snapshot)],
) -> Result<bool, Error> {
    let now = clock::now();
    // Written once for all of them.
    let names = names(now);
    // Of nobody, too, it is asked whether it is this one.
    let nobody = snapshots.is_empty().then_some(snapshots);
    for some in snapshots.chunks(HASHES_PER_SCRIPT).chain(nobody) {
        let mut arguments = vec![generation.to_string(), HASH_TTL_SECONDS.to_string()];
        for (practitioner, snapshot) in some {
            arguments.push(bitmap::key_of(cache.prefix(), *practitioner, generation));
            arguments.push(list(snapshot, &names, now));
        }
        if cache.said(&LOAD, &[key(cache)], &arguments).await? != "loaded" {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A snapshot with every date that can be booked, as `LOAD` and `HEAL` take it.
pub(super) fn whole(snapshot: &Snapshot) -> String {
    let now = clock::now();
    list(snapshot, &names(now), now)
}

/// What the dates are called that anybody may book.
fn names(now: Timestamp) -> BTreeMap<Date, String> {
    let (first, last) = terms::dates_of_anybody(now);
    let dates = calendar::dates(first, last);
    dates.map(|date| (date, bitmap::field(date))).collect()
}

fn list(snapshot: &Snapshot, names: &BTreeMap<Date, String>, now: Timestamp) -> String {
    let [version, zone, terms, _time_to_live] = head(snapshot);
    let mut list: Vec<Cow<'_, str>> = [version, zone, terms].map(Cow::Owned).into();
    if snapshot.active {
        let (first, last) = snapshot.schedule.terms.dates_anywhere(now);
        for day in snapshot.days(first, last) {
            if let Some(name) = names.get(&day.date) {
                list.push(Cow::Borrowed(name));
                list.push(Cow::Owned(bitmap::encode(&day, snapshot.version)));
            }
        }
    }
    serde_json::to_string(&list).expect("texts are JSON")
}

/// All that a generation has of each of them.
pub async fn hashes(
    cache: &Cache,
    generation: u64,
    practitioners: &[Uuid],
) -> Result<Vec<Hash>, Error> {
    let mut hashes = Vec::with_capacity(practitioners.len());
    for some in practitioners.chunks(HASHES_PER_SCRIPT) {
        let keys = some.iter();
        let keys: Vec<_> = keys
            .map(|practitioner| bitmap::key_of(cache.prefix(), *practitioner, generation))
            .collect();
        for list in cache.run(&WHOLE, &[], &keys).await? {
            hashes.push(hash(&list.unwrap_or_default())?);
        }
    }
    Ok(hashes)
}

fn hash(list: &str) -> Result<Hash, Error> {
    // Lua has no empty list: it may be an empty map as well.
    let list: Vec<String> = match list {
        "{}" => Vec::new(),
        list => serde_json::from_str(list)
            .map_err(|error| Error::Broken(format!("a hash can't be read: {error}")))?,
    };
    let mut fields: BTreeMap<&str, &str> = list
        .chunks_exact(2)
        .map(|pair| (pair[0].as_str(), pair[1].as_str()))
        .collect();
    let mut take = |name: &str| fields.remove(name).map(str::to_owned);
    Ok(Hash {
        version: take(bitmap::VERSION),
        zone: take(bitmap::ZONE),
        terms: take(bitmap::TERMS),
        days: fields
            .into_iter()
            .filter_map(|(date, day)| Some((date.parse::<Date>().ok()?, Some(day.to_owned()))))
            .collect(),
    })
}

fn key(cache: &Cache) -> String {
    bitmap::generations_key(cache.prefix())
}
