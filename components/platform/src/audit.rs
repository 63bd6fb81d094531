//! The shell around `praxis_domain::audit`: what is asked, what is noted between two looks, and what is
//! answered.

use std::collections::BTreeMap;

use praxis_domain::audit::{BEHIND_SECONDS_MAX, Difference, PAGE_MAX, Store, Verdict};
use serde::Serialize;
use spin_sdk::http::Method;

use crate::auth::Role;
use crate::cache;
use crate::database::{self, Database, ParameterValue};
use crate::events::Failure;
use crate::index;
use crate::metrics;
use crate::problem::Problem;
use crate::request::Request;

/// Practitioners that one tick of the slow pass looks at.
const TICK_PRACTITIONERS: u32 = 100;
const CURSOR_BYTES_MAX: usize = 128;

/// Why a page can't be looked at: the truth, or the copy, is away.
#[derive(Debug)]
pub enum Failed {
    Database(database::Error),
    Cache(cache::Error),
    Index(index::Error),
}

/// A page of practitioners, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Those behind this one.
    pub after: Option<String>,
    pub limit: u32,
    /// Whether what differs is made right.
    pub heals: bool,
}

impl Asked {
    /// `GET` looks, `POST` heals too; for operators, all others get 404.
    pub fn read(request: &Request) -> Result<Self, Problem> {
        if !request.claims()?.is(Role::Operator) {
            return Err(Problem::not_found());
        }
        let heals = match request.method() {
            Method::GET => false,
            Method::POST => true,
            _ => return Err(Problem::method_not_allowed("GET, POST")),
        };
        let query = request.query(&["after", "limit"])?;
        let expected = format!("a whole number from 1 to {PAGE_MAX}");
        let limit = query.optional("limit", &expected)?.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Problem::field(
                "/query/limit",
                format!("must be {expected}"),
            ));
        }
        let after = query.get("after").map(str::to_owned);
        let is_cursor = |text: &String| {
            (1..=CURSOR_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !after.as_ref().is_none_or(is_cursor) {
            let detail = "must be the next_cursor of an earlier answer";
            return Err(Problem::field("/query/after", detail));
        }
        Ok(Self {
            after,
            limit,
            heals,
        })
    }
}

/// What came of looking at one copy, and what it takes to heal it.
pub struct Looked<T> {
    pub id: String,
    pub store: Store,
    pub verdict: Verdict,
    pub with: T,
}

/// The ids that a page is about: behind the first, up to the second.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    pub after: Option<&'a str>,
    /// None: to the end.
    pub to: Option<&'a str>,
}

/// What a page has come to.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Copies that were held against the database, by store.
    compared: BTreeMap<Store, usize>,
    /// Of these, those that wait for events, and have not for long.
    behind: BTreeMap<Store, usize>,
    differences: Vec<Named>,
    /// `after` of the next page; none: this was the last.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Named {
    practitioner_id: String,
    store: Store,
    #[serde(flatten)]
    difference: Difference,
    healed: bool,
}

impl Report {
    pub fn new(next_cursor: Option<String>) -> Self {
        Self {
            next_cursor,
            ..Self::default()
        }
    }

    /// Takes in what came of one copy, and counts it for `/metrics`.
    pub fn add(&mut self, store: Store, id: &str, verdict: Verdict, healed: bool) {
        *self.compared.entry(store).or_default() += 1;
        match verdict {
            Verdict::Same => {}
            Verdict::Behind(_) => *self.behind.entry(store).or_default() += 1,
            Verdict::Differs(differences) => {
                self.differences
                    .extend(differences.into_iter().map(|difference| Named {
                        practitioner_id: id.to_owned(),
                        store,
                        difference,
                        healed,
                    }));
            }
        }
    }

    /// Counts for `/metrics`, and logs what differs: which, but no value, for it may be a name.
    pub fn tell(&self) {
        let mut differing: BTreeMap<Store, usize> = BTreeMap::new();
        for named in &self.differences {
            *differing.entry(named.store).or_default() += 1;
            eprintln!(
                "the audit found another {} in the {} of {}: {}",
                named.difference.what,
                named.store.name(),
                named.practitioner_id,
                if named.healed { "healed" } else { "not healed" },
            );
        }
        for (what, counts) in [("compared", &self.compared), ("differing", &differing)] {
            for (store, count) in counts {
                let store = store.name().replace('-', "_");
                metrics::count(&format!("audit_{store}_{what}_total"), *count);
            }
        }
    }
}

/// Notes which copies of a store are behind; those that have been for too long differ from now on.
pub async fn note_behind<T>(
    database: &Database,
    store: Store,
    range: Range<'_>,
    looked: &mut [Looked<T>],
) -> Result<(), database::Error> {
    const NOTE: &str = "
        with gone as (
            delete from audit_behind
            where store = $1::text
                and id > coalesce($4::text, '')
                and ($5::text is null or id <= $5::text)
                and id <> all ($2::text[])
        )
        insert into audit_behind as held (store, id, seen)
        select $1::text, behind.id, behind.seen
        from unnest($2::text[], $3::text[]) as behind (id, seen)
        order by behind.id collate \"C\"
        on conflict (store, id) do update
        set seen = excluded.seen,
            since = case when held.seen = excluded.seen then held.since else now() end
        returning id, since <= now() - make_interval(secs => $6::float8) as is_overdue";
    let behind: Vec<(String, String)> = looked
        .iter()
        .filter(|one| one.store == store)
        .filter_map(|one| Some((one.id.clone(), one.verdict.standing()?)))
        .collect();
    let (ids, seen): (Vec<_>, Vec<_>) = behind.into_iter().unzip();
    let array =
        |texts: Vec<String>| ParameterValue::ArrayStr(texts.into_iter().map(Some).collect());
    let parameters = vec![
        database::text(store.name()),
        array(ids),
        array(seen),
        database::optional(range.after, database::text),
        database::optional(range.to, database::text),
        // Exact: it is small.
        ParameterValue::Floating64(BEHIND_SECONDS_MAX as f64),
    ];
    for row in database.rows(NOTE, parameters).await? {
        if !row.get::<bool>("is_overdue")? {
            continue;
        }
        let id: String = row.get("id")?;
        let overdue = looked
            .iter_mut()
            .filter(|one| one.store == store && one.id == id);
        for one in overdue {
            one.verdict = std::mem::replace(&mut one.verdict, Verdict::Same).overdue();
        }
    }
    Ok(())
}

/// Where the slow pass of a component goes on; none: another is at it, or somebody holds it off.
pub async fn next_page(
    database: &Database,
    component: &str,
) -> Result<Option<Asked>, database::Error> {
    const NEXT: &str = "
        select after
        from audit_passes
        where component = $1::text
        for update skip locked";
    let row = database.row(NEXT, vec![database::text(component)]).await?;
    row.map(|row| {
        Ok(Asked {
            after: row.get("after")?,
            limit: TICK_PRACTITIONERS,
            heals: true,
        })
    })
    .transpose()
}

/// Notes how far it has come.
pub async fn page_done(
    database: &Database,
    component: &str,
    next_cursor: Option<&str>,
) -> Result<(), database::Error> {
    const DONE: &str = "
        update audit_passes
        set after = $2::text,
            at = now()
        where component = $1::text";
    let parameters = vec![
        database::text(component),
        database::optional(next_cursor, database::text),
    ];
    database.execute(DONE, parameters).await?;
    Ok(())
}

impl From<database::Error> for Failed {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

impl From<cache::Error> for Failed {
    fn from(error: cache::Error) -> Self {
        Self::Cache(error)
    }
}

impl From<index::Error> for Failed {
    fn from(error: index::Error) -> Self {
        Self::Index(error)
    }
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(error) => error.into(),
            Failed::Cache(error) => error.into(),
            Failed::Index(error) => error.into(),
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Database(error) => error.into(),
            Failed::Cache(error) => error.into(),
            Failed::Index(error) => error.into(),
        }
    }
}
