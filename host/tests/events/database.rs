//! A database for each test.

use std::time::Duration;

use praxis_servers::Server;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::postgres;

const CONNECTIONS_MAX: u32 = 10;
const ACQUIRE_MS_MAX: u64 = 3_000;

/// A pool on a new database with the project's tables, on the server that the tests share.
pub async fn new() -> PgPool {
    on(postgres::shared().await).await
}

pub async fn on(server: &Server) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_millis(ACQUIRE_MS_MAX))
        .connect(&postgres::database(server).await)
        .await
        .unwrap()
}
