//! The cache of days: read in one round trip, written only by what is newer.

use jiff::Timestamp;
use jiff::civil::Date;
use praxis_domain::audit::bitmap::Hash;
use praxis_domain::bitmap;
use praxis_domain::calendar::Day;
use praxis_domain::terms::Terms;
use praxis_domain::zone::Zone;
use praxis_platform::cache::{Cache, Error, Script};
use praxis_platform::clock;
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

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
    /// Events are missing before it, or all of them: load the practitioner from the database.
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

/// ARGV: a token, its time to live. Says who has the claim.
const CLAIM: Script = Script(
    "
    local held = redis.call('GET', KEYS[1])
    if held then
        return held
    end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return ARGV[1]
    ",
);

/// ARGV: the token, what to leave in its place (empty: nothing), for how long. Of a claim that has
/// run out nothing is touched: it may be another's.
const RELEASE: Script = Script(
    "
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
        return 'lost'
    end
    if ARGV[2] == '' then
        redis.call('DEL', KEYS[1])
    else
        redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    end
    return 'released'
    ",
);

/// ARGV: the snapshot's version, the zone, the terms, the time to live, then pairs of date and
/// `version,open,booked`. Fills the dates that are missing or older.
const FILL: Script = Script(
    "
    local held = redis.call('HGET', KEYS[1], 'v')
    if held and tonumber(ARGV[1]) < tonumber(held) then
        return 'stale'
    end
    if not held then
        redis.call('HSET', KEYS[1], 'v', ARGV[1], 'zone', ARGV[2])
        redis.call('EXPIRE', KEYS[1], ARGV[4])
    elseif redis.call('HGET', KEYS[1], 'zone') ~= ARGV[2] then
        -- An event on its way has moved the practitioner: it starts the hash anew.
        return 'stale'
    end
    redis.call('HSET', KEYS[1], 'terms', ARGV[3])
    for i = 5, #ARGV, 2 do
        local day = redis.call('HGET', KEYS[1], ARGV[i])
        if not day or tonumber(string.match(day, '^%d+')) < tonumber(ARGV[1]) then
            redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
        end
    end
    return 'filled'
    ",
);

/// ARGV: the event's version, then triples of date, hour bit and `1` booked or `0` free.
const APPLY: Script = Script(
    "
    local held = redis.call('HGET', KEYS[1], 'v')
    local version = tonumber(ARGV[1])
    if not held or version > tonumber(held) + 1 then
        return 'gap'
    end
    if version <= tonumber(held) then
        return 'stale'
    end
    for i = 2, #ARGV, 3 do
        local day = redis.call('HGET', KEYS[1], ARGV[i])
        if day then
            local loaded, open, booked = string.match(day, '^(%d+),(%d+),(%d+)$')
            -- Equal: one event may change two hours of a date, and twice is once.
            if tonumber(loaded) <= version then
                local hour = tonumber(ARGV[i + 1])
                if ARGV[i + 2] == '1' then
                    booked = bit.bor(tonumber(booked), hour)
                else
                    booked = bit.band(tonumber(booked), bit.bnot(hour))
                end
                redis.call('HSET', KEYS[1], ARGV[i], ARGV[1] .. ',' .. open .. ',' .. booked)
            end
        end
    end
    redis.call('HSET', KEYS[1], 'v', ARGV[1])
    return 'applied'
    ",
);

/// ARGV: the snapshot's version, the zone, the terms, the time to live. Forgets every date that is older:
/// they are loaded when somebody asks.
const RESET: Script = Script(
    "
    local held = redis.call('HGET', KEYS[1], 'v')
    if held and tonumber(ARGV[1]) < tonumber(held) then
        return 'stale'
    end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'v', ARGV[1], 'zone', ARGV[2], 'terms', ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    return 'reset'
    ",
);

/// ARGV: the version that was seen (empty: none), the snapshot's version, the zone, the terms, the time
/// to live. Not a mere DEL: whoever loaded an older snapshot meanwhile would find nothing newer there, and
/// put it back.
const HEAL: Script = Script(
    "
    if (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then
        return 'changed'
    end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'v', ARGV[2], 'zone', ARGV[3], 'terms', ARGV[4])
    redis.call('EXPIRE', KEYS[1], ARGV[5])
    return 'healed'
    ",
);

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
    let key = bitmap::key(cache.prefix(), practitioner);
    let mut values = cache.fields(&key, &fields).await?.into_iter();
    Ok(Hash {
        version: values.next().flatten(),
        zone: values.next().flatten(),
        terms: values.next().flatten(),
        days: dates.iter().copied().zip(values).collect(),
    })
}

/// The stream version up to which the cache is right; none where nothing is loaded.
pub async fn version(cache: &Cache, practitioner: Uuid) -> Result<Option<String>, Error> {
    let key = bitmap::key(cache.prefix(), practitioner);
    let mut values = cache.fields(&key, &[bitmap::VERSION.to_owned()]).await?;
    Ok(values.pop().flatten())
}

/// Asks for the turn to load a practitioner.
pub async fn claim(cache: &Cache, practitioner: Uuid) -> Result<Claim, Error> {
    let token = clock::new_id().to_string();
    let key = bitmap::claim_key(cache.prefix(), practitioner);
    let arguments = [token.clone(), CLAIM_TTL_MS.to_string()];
    Ok(match cache.run(&CLAIM, &key, &arguments).await? {
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
    cache.run(&RELEASE, &key, &arguments).await?;
    Ok(())
}

/// Keeps days that were loaded from the database, unless newer ones are there.
pub async fn fill(
    cache: &Cache,
    practitioner: Uuid,
    snapshot: &Snapshot,
    days: &[Day],
) -> Result<(), Error> {
    let mut arguments = head(snapshot);
    for day in days {
        arguments.push(bitmap::field(day.date));
        arguments.push(bitmap::encode(day, snapshot.version));
    }
    let key = bitmap::key(cache.prefix(), practitioner);
    cache.run(&FILL, &key, &arguments).await?;
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
    let key = bitmap::key(cache.prefix(), practitioner);
    Ok(match cache.run(&APPLY, &key, &arguments).await?.as_str() {
        "gap" => Applied::Gap,
        _ => Applied::UpToDate,
    })
}

/// Starts a practitioner anew at a snapshot: its days are loaded when somebody asks.
pub async fn reset(cache: &Cache, practitioner: Uuid, snapshot: &Snapshot) -> Result<(), Error> {
    let key = bitmap::key(cache.prefix(), practitioner);
    cache.run(&RESET, &key, &head(snapshot)).await?;
    Ok(())
}

/// Starts a practitioner anew whose hash is wrong at the version that was seen. False: it has another
/// version by now.
pub async fn heal(
    cache: &Cache,
    practitioner: Uuid,
    seen: Option<&str>,
    snapshot: &Snapshot,
) -> Result<bool, Error> {
    let key = bitmap::key(cache.prefix(), practitioner);
    let mut arguments = vec![seen.unwrap_or_default().to_owned()];
    arguments.extend(head(snapshot));
    Ok(cache.run(&HEAL, &key, &arguments).await? == "healed")
}

fn head(snapshot: &Snapshot) -> Vec<String> {
    let zone = if snapshot.active {
        snapshot.zone().name()
    } else {
        // Not active: nothing of theirs is answered from here.
        ""
    };
    vec![
        snapshot.version.to_string(),
        zone.to_owned(),
        bitmap::encode_terms(snapshot.schedule.terms),
        HASH_TTL_SECONDS.to_string(),
    ]
}
