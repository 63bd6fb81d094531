//! `/v1/ops/rebuilds/search`: the index made anew from the database, beside the one that answers.

use praxis_domain::audit::Store;
use praxis_domain::audit::document::NEXT_SLOT;
use praxis_platform::audit::Failed;
use praxis_platform::database::Database;
use praxis_platform::index::documents::{Change, Content};
use praxis_platform::index::generations::{self, begin, load, look, remove, scan, switch};
use praxis_platform::problem::Problem;
use praxis_platform::rebuild::{
    Asked, Beside, BesideRole, Compared, Done, Generation, PAGE, Page, Pages, State,
};
use praxis_platform::request::Request;
use praxis_platform::response::{self, Response};
use spin_sdk::http::StatusCode;

use crate::INDEX;
use crate::audit::{side_by_side, truths};
use crate::documents::{AVAILABILITY, PROFILE, of_next_slot, of_profile};

/// 409 where the generations are not what the request takes them for; 503 while the index or the
/// database is away.
pub async fn answer(request: &Request, rest: &[&str]) -> Result<Response, Problem> {
    let index = || INDEX.to_owned();
    let open = || Database::open_for(request.traceparent());
    let ok = StatusCode::OK;
    Ok(match Asked::read(request, rest)? {
        Asked::State => response::json(ok, &shown(look(index()).await?)),
        Asked::Begin => {
            let generation = begin(index()).await?;
            response::json(StatusCode::CREATED, &Generation { generation })
        }
        Asked::Pages => response::json(ok, &Pages::load(&open().await?).await?),
        Asked::Load(page) => response::json(ok, &fill(&open().await?, page).await?),
        Asked::Compare(page) => response::json(ok, &compare(&open().await?, page).await?),
        Asked::Switch(generation) => {
            switch(index(), generation).await?;
            response::json(ok, &Generation { generation })
        }
        Asked::Remove(page) => {
            remove(index(), page.generation).await?;
            let done = Done {
                done: 0,
                next_cursor: None,
            };
            response::json(ok, &done)
        }
    })
}

fn shown(state: generations::State) -> State {
    State {
        current: state.current,
        beside: state.beside.map(|beside| Beside {
            generation: beside.generation,
            role: match beside.role {
                generations::Role::Building => BesideRole::Building,
                generations::Role::Previous => BesideRole::Previous,
            },
        }),
    }
}

/// A page of documents, as the database has them now. What events have brought meanwhile is newer, and
/// stays.
async fn fill(database: &Database, page: Page) -> Result<Done, Failed> {
    let mut truths = truths(database, page.after.as_deref(), PAGE).await?;
    let is_full = truths.len() == PAGE as usize;
    truths.retain(|id, _| page.is_within(id));
    let last = truths.last_key_value().map(|(id, _)| id.clone());
    let done = truths.len();
    let changes: Vec<Change> = truths
        .into_iter()
        .flat_map(|(id, content)| changes(&id, content))
        .collect();
    load(INDEX.to_owned(), page.generation, changes).await?;
    Ok(Done {
        done,
        next_cursor: page.next(last.filter(|_| is_full)),
    })
}

/// One of each source that the document has.
fn changes(id: &str, content: Content) -> Vec<Change> {
    let (next, profile): (Vec<_>, Vec<_>) = content
        .fields
        .into_iter()
        .partition(|field| field.name == NEXT_SLOT);
    let version = |source| {
        let mut versions = content.versions.iter();
        let of = versions.find(|of| of.source == source);
        of.map(|of| of.version)
    };
    let next = next.into_iter().next().map(|field| field.value);
    let of_profile = version(PROFILE).map(|version| of_profile(id.to_owned(), version, profile));
    let of_next = version(AVAILABILITY).map(|version| of_next_slot(id.to_owned(), version, next));
    of_profile.into_iter().chain(of_next).collect()
}

/// The documents were read before what they are held against.
async fn compare(database: &Database, page: Page) -> Result<Compared, Failed> {
    let after = page.after.clone();
    let held = scan(INDEX.to_owned(), page.generation, after, PAGE).await?;
    let (both, to) = side_by_side(database, held, page.after.as_deref(), PAGE).await?;
    let mut compared = Compared::default();
    for (id, truth) in both.iter().filter(|(id, _)| page.is_within(id)) {
        compared.add(Store::Document, id, truth.seen.is_some(), truth.verdict());
    }
    compared.next_cursor = page.next(to);
    Ok(compared)
}
