//! The generations of an index, as aliases say which is which.
//!
//! The first generation is the index `NAME`, a later one `NAME-g7`. The alias `NAME-current` stands at
//! the one that answers (nowhere: at the first), `NAME-building` or `NAME-previous` at the one beside.
//! Each is written by an alias of its own, `NAME-g7-written`, which goes with it: OpenSearch makes an index
//! again for a write that comes late, but no alias.
//! Hosts share a cluster, so each looks the aliases up again and again, and what it saw last counts for
//! `KNOWN_MS_MAX`. Whoever changes what others must have seen before it goes on waits for
//! `SETTLE_MS`: from then on nobody acts on anything older.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opensearch::OpenSearch;
use opensearch::http::StatusCode;
use opensearch::indices::{IndicesCreateParts, IndicesDeleteParts, IndicesGetAliasParts};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::{
    Beside, Error, GENERATION_FIRST, Generations, Role, Schema, conflict, next_generation,
};
use super::{READ_TIMEOUT_MS, answer, layout};

/// How old a look at the aliases is when somebody looks again.
const LOOK_EVERY_MS: u64 = 500;
/// How old it is when nothing is done with it any more: longer than a look may fail for a moment.
const KNOWN_MS_MAX: u64 = 1_500;
/// Longer than that.
const SETTLE_MS: u64 = 2_000;
const _: () = assert!(LOOK_EVERY_MS < KNOWN_MS_MAX && KNOWN_MS_MAX < SETTLE_MS);

/// What one host knows.
#[derive(Default)]
pub struct Knowledge {
    seen: Mutex<HashMap<String, Known>>,
    /// By one at a time, as long as what was seen still counts.
    looking: tokio::sync::Mutex<()>,
}

/// Which generations of an index there are, and until when that counts.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub state: Generations,
    at: Instant,
}

/// An index that is there, and its aliases.
type Listed = BTreeMap<String, Entry>;

#[derive(Debug, Deserialize)]
pub struct Entry {
    aliases: BTreeMap<String, Json>,
}

impl Known {
    /// Asked right before something is written.
    ///
    /// # Errors
    /// `Unavailable`: by now there may be others.
    pub fn still_counts(&self) -> Result<(), Error> {
        if self.at.elapsed() < Duration::from_millis(KNOWN_MS_MAX) {
            return Ok(());
        }
        Err(Error::unavailable(
            "it took too long: there may be other generations by now",
        ))
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < Duration::from_millis(LOOK_EVERY_MS)
    }
}

impl Knowledge {
    /// Which generations the index `name` has.
    pub async fn of(&self, client: &OpenSearch, name: &str) -> Result<Known, Error> {
        let seen = self.seen().get(name).copied();
        match seen.filter(|known| known.still_counts().is_ok()) {
            Some(known) if known.is_fresh() => Ok(known),
            Some(known) => match self.looking.try_lock() {
                Ok(_looking) => Ok(self.look(client, name).await.unwrap_or(known)),
                Err(_) => Ok(known),
            },
            None => self.look(client, name).await,
        }
    }

    /// What the aliases say now.
    pub async fn look(&self, client: &OpenSearch, name: &str) -> Result<Known, Error> {
        let at = Instant::now();
        let state = state(name, &listed(client, name).await?)?;
        let known = Known { state, at };
        let mut seen = self.seen();
        let newest = seen.entry(name.to_owned()).or_insert(known);
        if newest.at < at {
            *newest = known;
        }
        Ok(known)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.seen.lock().expect("no one panics while looking")
    }
}

/// The index that a generation of `name` is.
pub fn index_of(name: &str, generation: u64) -> String {
    match generation {
        GENERATION_FIRST => name.to_owned(),
        later => format!("{name}-g{later}"),
    }
}

/// The alias by which an index is written, and by no other name.
pub fn written_by(index: &str) -> String {
    format!("{index}-written")
}

/// The indexes of all generations that are there.
pub async fn listed(client: &OpenSearch, name: &str) -> Result<Listed, Error> {
    let later = format!("{name}-g*");
    let response = client
        .indices()
        .get_alias(IndicesGetAliasParts::Index(&[name, &later]))
        .ignore_unavailable(true)
        .request_timeout(Duration::from_millis(READ_TIMEOUT_MS))
        .send()
        .await
        .map_err(Error::unavailable)?;
    serde_json::from_value(answer(response).await?).map_err(Error::unavailable)
}

/// # Errors
/// If an alias stands where none of ours does.
pub fn state(name: &str, listed: &Listed) -> Result<Generations, Error> {
    let at = |alias: &str| {
        let alias = format!("{name}-{alias}");
        let mut entries = listed.iter();
        let entry = entries.find(|(_, entry)| entry.aliases.contains_key(&alias));
        let generation = entry.map(|(index, _)| {
            generation(name, index).ok_or_else(|| {
                Error::unavailable(format!("the alias {alias} stands at {index}, a stranger"))
            })
        });
        generation.transpose()
    };
    let beside = |generation, role| Beside { generation, role };
    let building = at(BUILDING)?.map(|generation| beside(generation, Role::Building));
    let previous = at(PREVIOUS)?.map(|generation| beside(generation, Role::Previous));
    Ok(Generations {
        current: at(CURRENT)?.unwrap_or(GENERATION_FIRST),
        beside: building.or(previous),
    })
}

const CURRENT: &str = "current";
const BUILDING: &str = "building";
const PREVIOUS: &str = "previous";

fn alias_of(role: Role) -> &'static str {
    match role {
        Role::Building => BUILDING,
        Role::Previous => PREVIOUS,
    }
}

fn generation(name: &str, index: &str) -> Option<u64> {
    if index == name {
        return Some(GENERATION_FIRST);
    }
    let number = index.strip_prefix(name)?.strip_prefix("-g")?;
    number.parse().ok()
}

pub async fn begin(
    client: &OpenSearch,
    knowledge: &Knowledge,
    name: &str,
    schema: &Schema,
) -> Result<u64, Error> {
    let generation = next_generation(&knowledge.look(client, name).await?.state)?;
    let index = index_of(name, generation);
    let mut body = layout::index(schema);
    // With the index, or not at all.
    body["aliases"] = json!({ format!("{name}-{BUILDING}"): {}, written_by(&index): {} });
    let created = client
        .indices()
        .create(IndicesCreateParts::Index(&index))
        .body(body)
        .send()
        .await
        .map_err(Error::unavailable)?;
    if created.status_code() == StatusCode::BAD_REQUEST {
        // Another was faster; or who dropped it ended before it was gone.
        let state = knowledge.look(client, name).await?.state;
        next_generation(&state)?;
        delete(client, &index).await?;
        return Err(Error::unavailable(format!(
            "{index} was left over, and is gone now: try again"
        )));
    }
    answer(created).await?;
    settle(client, knowledge, name).await?;
    Ok(generation)
}

pub async fn switch(
    client: &OpenSearch,
    knowledge: &Knowledge,
    name: &str,
    generation: u64,
) -> Result<(), Error> {
    let listed = listed(client, name).await?;
    let state = state(name, &listed)?;
    let role = role(&state, generation)?;
    let (old, new) = (index_of(name, state.current), index_of(name, generation));
    let alias = |of: &str| format!("{name}-{of}");
    let mut actions = vec![
        json!({ "remove": { "index": new, "alias": alias(alias_of(role)) } }),
        json!({ "add": { "index": new, "alias": alias(CURRENT) } }),
        json!({ "add": { "index": old, "alias": alias(PREVIOUS) } }),
    ];
    let has_current = listed
        .get(&old)
        .is_some_and(|entry| entry.aliases.contains_key(&alias(CURRENT)));
    if has_current {
        actions.push(json!({ "remove": { "index": old, "alias": alias(CURRENT) } }));
    }
    change(client, knowledge, name, generation, &actions).await?;
    settle(client, knowledge, name).await
}

pub async fn remove(
    client: &OpenSearch,
    knowledge: &Knowledge,
    name: &str,
    generation: u64,
) -> Result<(), Error> {
    let state = knowledge.look(client, name).await?.state;
    let role = role(&state, generation)?;
    let index = index_of(name, generation);
    let alias = format!("{name}-{}", alias_of(role));
    let actions = [json!({ "remove": { "index": index, "alias": alias } })];
    change(client, knowledge, name, generation, &actions).await?;
    // So that nobody fails who could know of it.
    settle(client, knowledge, name).await?;
    delete(client, &index).await
}

/// Lets an index be written that was made before it had an alias for that.
pub async fn let_write(client: &OpenSearch, index: &str) -> Result<(), Error> {
    let action = json!({ "add": { "index": index, "alias": written_by(index) } });
    let changed = client
        .indices()
        .update_aliases()
        .body(json!({ "actions": [action] }))
        .send()
        .await
        .map_err(Error::unavailable)?;
    answer(changed).await?;
    Ok(())
}

fn role(state: &Generations, generation: u64) -> Result<Role, Error> {
    let beside = state
        .beside
        .filter(|beside| beside.generation == generation);
    let beside =
        beside.ok_or_else(|| conflict(generation, "beside the one that answers", state))?;
    Ok(beside.role)
}

/// All of the actions at one moment.
async fn change(
    client: &OpenSearch,
    knowledge: &Knowledge,
    name: &str,
    generation: u64,
    actions: &[Json],
) -> Result<(), Error> {
    let changed = client
        .indices()
        .update_aliases()
        .body(json!({ "actions": actions }))
        .send()
        .await
        .map_err(Error::unavailable)?;
    if changed.status_code() == StatusCode::NOT_FOUND {
        // Somebody has moved an alias in between.
        let state = knowledge.look(client, name).await?.state;
        return Err(conflict(generation, "there as it was", &state));
    }
    answer(changed).await?;
    Ok(())
}

/// Until every host knows of a change that was just made, or does nothing.
async fn settle(client: &OpenSearch, knowledge: &Knowledge, name: &str) -> Result<(), Error> {
    tokio::time::sleep(Duration::from_millis(SETTLE_MS)).await;
    knowledge.look(client, name).await?;
    Ok(())
}

async fn delete(client: &OpenSearch, index: &str) -> Result<(), Error> {
    let deleted = client
        .indices()
        .delete(IndicesDeleteParts::Index(&[index]))
        .send()
        .await
        .map_err(Error::unavailable)?;
    if deleted.status_code() == StatusCode::NOT_FOUND {
        return Ok(());
    }
    answer(deleted).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entries: &[(&str, &[&str])]) -> Listed {
        let entries = entries.iter().map(|(index, aliases)| {
            let aliases = aliases.iter().map(|alias| ((*alias).to_owned(), json!({})));
            let aliases = aliases.collect();
            ((*index).to_owned(), Entry { aliases })
        });
        entries.collect()
    }

    #[test]
    fn an_index_without_aliases_is_the_first_generation() {
        let first = Generations {
            current: 1,
            beside: None,
        };
        assert_eq!(state("shops", &listed(&[("shops", &[])])).unwrap(), first);
        assert_eq!(state("shops", &listed(&[])).unwrap(), first);
    }

    #[test]
    fn aliases_say_which_is_which() {
        let entries = listed(&[
            ("shops", &["shops-previous", "another"]),
            ("shops-g2", &["shops-current"]),
        ]);
        let found = state("shops", &entries).unwrap();
        let beside = Beside {
            generation: 1,
            role: Role::Previous,
        };
        assert_eq!((found.current, found.beside), (2, Some(beside)));
    }

    #[test]
    fn what_was_seen_counts_for_a_while() {
        let state = Generations {
            current: 1,
            beside: None,
        };
        let seen_before = |ms| {
            let at = Instant::now().checked_sub(Duration::from_millis(ms));
            Known {
                state,
                at: at.unwrap(),
            }
        };
        assert!(seen_before(0).is_fresh());
        assert!(!seen_before(LOOK_EVERY_MS).is_fresh());
        assert!(seen_before(LOOK_EVERY_MS).still_counts().is_ok());
        assert!(seen_before(KNOWN_MS_MAX).still_counts().is_err());
    }

    #[test]
    fn an_alias_at_a_stranger_is_a_mistake() {
        let entries = listed(&[("shops-green", &["shops-current"])]);
        assert!(state("shops", &entries).is_err());
    }
}
