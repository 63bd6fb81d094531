//! `/v1/ops/rebuilds/…`: what an operator asks of a component whose copies are made anew, and what is
//! answered. `praxis rebuild` asks it, page by page.

use praxis_domain::audit::{Difference, Store, Verdict};
use serde::Serialize;
use spin_sdk::http::{Method, StatusCode};

use crate::auth::Role;
use crate::database::{self, Database, ParameterValue};
use crate::problem::Problem;
use crate::request::{Query, Request};

/// Practitioners of one page.
pub const PAGE: u32 = 500;
const CURSOR_BYTES_MAX: usize = 128;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `GET`: which generations are there?
    State,
    /// `POST`: begin one.
    Begin,
    /// `GET …/pages`: where does each page end?
    Pages,
    /// `POST …/load`: fill the one that is being built, from the database.
    Load(Page),
    /// `GET …/compare`: does it say what the database says?
    Compare(Page),
    /// `POST …/switch`: the one beside answers from now on.
    Switch(u64),
    /// `DELETE`: take away the one beside; where that takes pages, what lies behind `after`.
    Remove(Page),
}

/// Some practitioners, by their ids, of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub generation: u64,
    /// Those behind this one.
    pub after: Option<String>,
    /// Up to this one.
    pub until: Option<String>,
}

impl Page {
    pub fn is_within(&self, id: &str) -> bool {
        self.until.as_deref().is_none_or(|until| id <= until)
    }

    /// What is left of it, where somebody has come to `to`; none of that: to the end.
    pub fn next(&self, to: Option<String>) -> Option<String> {
        to.filter(|to| self.until.as_ref().is_none_or(|until| to < until))
    }
}

impl Asked {
    /// `rest`: the path behind the name of what is made anew. For operators; all others get 404.
    pub fn read(request: &Request, rest: &[&str]) -> Result<Self, Problem> {
        if !request.claims()?.is(Role::Operator) {
            return Err(Problem::not_found());
        }
        const OF_PAGES: [&str; 3] = ["generation", "after", "until"];
        Ok(match (rest, request.method()) {
            ([], Method::GET) => {
                request.query(&[])?;
                Self::State
            }
            ([], Method::POST) => {
                request.query(&[])?;
                Self::Begin
            }
            ([], Method::DELETE) => Self::Remove(page(&request.query(&OF_PAGES[..2])?)?),
            ([], _) => return Err(Problem::method_not_allowed("GET, POST, DELETE")),
            (["pages"], Method::GET) => {
                request.query(&[])?;
                Self::Pages
            }
            (["load"], Method::POST) => Self::Load(page(&request.query(&OF_PAGES)?)?),
            (["compare"], Method::GET) => Self::Compare(page(&request.query(&OF_PAGES)?)?),
            (["switch"], Method::POST) => {
                Self::Switch(generation(&request.query(&OF_PAGES[..1])?)?)
            }
            (["pages" | "compare"], _) => return Err(Problem::method_not_allowed("GET")),
            (["load" | "switch"], _) => return Err(Problem::method_not_allowed("POST")),
            _ => return Err(Problem::not_found()),
        })
    }
}

fn page(query: &Query) -> Result<Page, Problem> {
    Ok(Page {
        generation: generation(query)?,
        after: cursor(query, "after")?,
        until: cursor(query, "until")?,
    })
}

fn generation(query: &Query) -> Result<u64, Problem> {
    query.required("generation", "a generation's number")
}

fn cursor(query: &Query, name: &str) -> Result<Option<String>, Problem> {
    let text = query.get(name).map(str::to_owned);
    let is_cursor = |text: &String| {
        (1..=CURSOR_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
    };
    if text.as_ref().is_none_or(is_cursor) {
        return Ok(text);
    }
    Err(bad_cursor(name))
}

/// 400: it is no place in the order of the ids.
pub fn bad_cursor(name: &str) -> Problem {
    let detail = "must be the end of a page or the next_cursor of an earlier answer";
    Problem::field(format!("/query/{name}"), detail)
}

/// 409, where the generations are not what the request takes them for.
pub fn conflict(which: impl Into<String>) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "/problems/other-generation",
        "The generations are not as you think",
        which,
    )
}

/// Which generations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct State {
    /// The one that answers.
    pub current: u64,
    pub beside: Option<Beside>,
}

impl State {
    /// Whether it answers, or stands beside the one that does.
    pub fn has(&self, generation: u64) -> bool {
        let beside = self.beside.map(|beside| beside.generation);
        generation == self.current || Some(generation) == beside
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Beside {
    pub generation: u64,
    pub role: BesideRole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BesideRole {
    Building,
    Previous,
}

/// What was begun, or answers from now on.
#[derive(Debug, Serialize)]
pub struct Generation {
    pub generation: u64,
}

/// Where pages end: they can be asked for in any order, and several at one time.
#[derive(Debug, Serialize)]
pub struct Pages {
    /// Practitioners.
    total: i64,
    /// The last id of each page that is full.
    ends: Vec<String>,
}

impl Pages {
    pub async fn load(database: &Database) -> Result<Self, database::Error> {
        const TOTAL: &str = "select count(*) as total from practitioners";
        const ENDS: &str = "
            select id::text as id
            from (
                select id, row_number() over (order by id) as number
                from practitioners
            ) as numbered
            where number % $1::int = 0
            order by id";
        let total = database.row(TOTAL, Vec::new()).await?;
        let size = ParameterValue::Int32(i32::try_from(PAGE).unwrap_or(i32::MAX));
        let ends = database.rows(ENDS, vec![size]).await?;
        Ok(Self {
            total: total.map_or(Ok(0), |row| row.get("total"))?,
            ends: ends
                .iter()
                .map(|row| row.get("id"))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// What came of one page.
#[derive(Debug, Serialize)]
pub struct Done {
    /// Practitioners.
    pub done: usize,
    /// `after` of what is left of the page; none: nothing is.
    pub next_cursor: Option<String>,
}

/// What a page of a generation says, held against the database.
#[derive(Debug, Default, Serialize)]
pub struct Compared {
    compared: usize,
    /// Those that it has nothing of.
    absent: Vec<String>,
    /// Those that are behind the database. Who says the same at the next look does not get on.
    waiting: Vec<Waiting>,
    differences: Vec<Named>,
    /// As in `Done`.
    pub next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct Waiting {
    practitioner_id: String,
    standing: String,
}

#[derive(Debug, Serialize)]
struct Named {
    practitioner_id: String,
    store: Store,
    #[serde(flatten)]
    difference: Difference,
}

impl Compared {
    pub fn add(&mut self, store: Store, id: &str, is_there: bool, verdict: Verdict) {
        self.compared += 1;
        if !is_there {
            self.absent.push(id.to_owned());
        }
        let standing = verdict.standing();
        self.waiting.extend(standing.map(|standing| Waiting {
            practitioner_id: id.to_owned(),
            standing,
        }));
        if let Verdict::Differs(differences) = verdict {
            let named = differences.into_iter().map(|difference| Named {
                practitioner_id: id.to_owned(),
                store,
                difference,
            });
            self.differences.extend(named);
        }
    }
}
