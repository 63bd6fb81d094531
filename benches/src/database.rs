//! PostgreSQL with what is read from it.

use std::path::Path;

use anyhow::Context as _;
use praxis_servers::{Durability, Server, postgres};
use sqlx::{Connection as _, PgConnection};

/// Rows in the table; `/one` finds one of them by its key.
const THINGS: &str = "
create table things (id bigint primary key, name text not null, city text not null,
                     rating double precision not null);
insert into things
select n, 'thing number ' || n, 'city ' || n % 97, n % 50 / 10.0 from generate_series(1, 100000) n;
analyze things;
";

pub async fn start(folder: &Path) -> anyhow::Result<Server> {
    let server = postgres::start(folder, Durability::Scratch).await?;
    let mut connection = PgConnection::connect(&server.url()).await?;
    sqlx::raw_sql(THINGS)
        .execute(&mut connection)
        .await
        .context("could not fill the database")?;
    Ok(server)
}
