//! `/v1/tenants/{tenant}/templates/…`: what is asked for, and who may ask.

use praxis_domain::locale::Locale;
use praxis_domain::notice::{Audience, Occasion};
use praxis_domain::patient::Channel;
use praxis_domain::template::Key;
use praxis_platform::database::Database;
use praxis_platform::problem::Problem;
use praxis_platform::request::{Query, Request};
use praxis_platform::response::Response;
use spin_sdk::http::Method;

use super::{failures, preview, publish, state, test_send, versions};
use crate::tenants::{self, Tenant};

/// `path` is what follows `templates`. Who is not of the tenant finds nothing, whatever the path.
pub async fn route(request: Request, tenant: &str, path: &[&str]) -> Result<Response, Problem> {
    let claims = tenants::claims_for(&request, tenant)?;
    let database = Database::open().await?;
    let tenant = Tenant::load(&database, tenant)
        .await?
        .ok_or_else(Problem::not_found)?;
    let (event, channel, locale, rest) = match path {
        [] => return list(&request, &database, &tenant).await,
        [event, channel, locale, rest @ ..] => (*event, *channel, *locale, rest),
        _ => return Err(Problem::not_found()),
    };
    let query = query(&request, rest)?;
    let key = key(event, channel, locale, &query)?;
    let (method, id) = (request.method(), &tenant.id[..]);
    match (rest, method) {
        ([], Method::GET) => state::get(&database, id, &key).await,
        (["versions"], Method::GET) => versions::list(&database, id, &key, &query).await,
        (["versions"], Method::POST) => {
            versions::create(&database, request, &claims, id, &key).await
        }
        (["versions", n], Method::GET) => versions::get(&database, id, &key, number(n)?).await,
        (["versions", n, "preview"], Method::POST) => {
            let all = wants_all_locales(&query)?;
            preview::preview(&database, request, &tenant, &key, number(n)?, all).await
        }
        (["versions", n, "test-send"], Method::POST) => {
            test_send::send(&database, &claims, &tenant, &key, number(n)?).await
        }
        (["versions", n, "publish"], Method::POST) => {
            publish::publish(&database, request, &claims, &tenant, &key, number(n)?).await
        }
        (["rollback"], Method::POST) => {
            publish::roll_back(&database, &request, &claims, &tenant, &key).await
        }
        (["changes"], Method::GET) => publish::changes(&database, id, &key).await,
        (["failures"], Method::GET) => failures::list(&database, id, &key).await,
        (["versions"], _) => Err(Problem::method_not_allowed("GET, POST")),
        ([] | ["versions", _] | ["changes"] | ["failures"], _) => {
            Err(Problem::method_not_allowed("GET"))
        }
        (["versions", _, "preview" | "test-send" | "publish"] | ["rollback"], _) => {
            Err(Problem::method_not_allowed("POST"))
        }
        _ => Err(Problem::not_found()),
    }
}

async fn list(
    request: &Request,
    database: &Database,
    tenant: &Tenant,
) -> Result<Response, Problem> {
    if request.method() != Method::GET {
        return Err(Problem::method_not_allowed("GET"));
    }
    request.query(&[])?;
    state::list(database, &tenant.id).await
}

fn query(request: &Request, rest: &[&str]) -> Result<Query, Problem> {
    request.query(match (rest, request.method()) {
        (["versions"], Method::GET) => &["audience", "cursor"],
        (["versions", _, "preview"], _) => &["audience", "locales"],
        _ => &["audience"],
    })
}

/// 404 where nobody is told that, in that way.
fn key(event: &str, channel: &str, locale: &str, query: &Query) -> Result<Key, Problem> {
    let audience = match query.get("audience") {
        None => Audience::Patient,
        Some(name) => Audience::parse(name)
            .ok_or_else(|| Problem::field("/query/audience", "must be patient or practitioner"))?,
    };
    let occasion = Occasion::parse(event).ok_or_else(Problem::not_found)?;
    let channel = Channel::parse(channel).ok_or_else(Problem::not_found)?;
    let locale =
        Locale::parse(locale).map_err(|error| Problem::field("/path/locale", error.to_string()))?;
    Key::new(occasion, audience, channel, locale).ok_or_else(Problem::not_found)
}

fn number(segment: &str) -> Result<i32, Problem> {
    segment.parse().map_err(|_| Problem::not_found())
}

fn wants_all_locales(query: &Query) -> Result<bool, Problem> {
    match query.get("locales") {
        None => Ok(false),
        Some("all") => Ok(true),
        Some(_) => Err(Problem::field("/query/locales", "must be all")),
    }
}
