//! A database of one's own, with the project's tables and nothing else running.

use praxis_servers::{Durability, Server, postgres};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::OnceCell;

use crate::{directory, place};

/// The server that a test program's tests share.
static POSTGRES: OnceCell<Server> = OnceCell::const_new();

/// # Panics
/// If it can't be made; says why.
pub async fn migrated(connections_max: u32) -> PgPool {
    let server = POSTGRES.get_or_init(start).await;
    let name = format!("statements_{}", directory::fresh_id().simple());
    let own = server.url();
    let pool = connect(&own, 1).await;
    sqlx::query(AssertSqlSafe(format!("create database {name}")))
        .execute(&pool)
        .await
        .expect("a database can be made");
    pool.close().await;
    let (place, _) = own.rsplit_once('/').expect("the URL names a database");
    let pool = connect(&format!("{place}/{name}"), connections_max).await;
    sqlx::migrate!("../migrations")
        .run(&pool)
        .await
        .unwrap_or_else(|error| panic!("the migrations fail: {error}"));
    pool
}

async fn start() -> Server {
    let folder = place::target().join("tests/postgres-of-statements");
    postgres::start(&folder, Durability::Scratch)
        .await
        .unwrap_or_else(|error| panic!("{error:#}"))
}

async fn connect(url: &str, connections_max: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .connect(url)
        .await
        .unwrap_or_else(|error| panic!("could not connect to {url}: {error}"))
}
