//! The handlers of the measured components, written natively: hyper, and sqlx's own pool.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;

const ONE: &str = "select id, name, city, rating from things where id = $1";
const ROWS: &str = "select id, name, city, rating from things order by id limit 1000";
/// The row that `/one` reads.
const ID: i64 = 4711;
/// As many as the host has.
const CONNECTIONS_MAX: u32 = 16;

#[derive(Debug, Args)]
pub struct Arguments {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    database_url: Option<String>,
    /// Leave out the question that sqlx's pool asks the server before each use.
    #[arg(long)]
    unchecked: bool,
}

#[derive(Serialize)]
struct Thing {
    id: i64,
    name: String,
    city: String,
    rating: f64,
}

pub async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    let pool = match &arguments.database_url {
        Some(url) => Some(pool(url, !arguments.unchecked).await?),
        None => None,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = pool.clone();
        let service = service_fn(move |request| {
            let pool = pool.clone();
            async move { Ok::<_, Infallible>(answer(request, pool).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        // A client that goes away is no fault.
        tokio::spawn(async move { connection.await.ok() });
    }
}

async fn pool(url: &str, is_checked: bool) -> anyhow::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .test_before_acquire(is_checked)
        .connect(url)
        .await
        .context("could not connect to PostgreSQL")
}

async fn answer(request: Request<Incoming>, pool: Option<PgPool>) -> Response<Full<Bytes>> {
    let text = match (request.uri().path(), &pool) {
        ("/one", Some(pool)) => one(pool).await,
        ("/rows", Some(pool)) => rows(pool).await,
        _ => Ok("Hello".into()),
    };
    let (status, text) = match text {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response
}

type Columns = (i64, String, String, f64);

async fn one(pool: &PgPool) -> anyhow::Result<String> {
    let row = sqlx::query_as::<_, Columns>(ONE).bind(ID).fetch_one(pool);
    json([row.await?])
}

async fn rows(pool: &PgPool) -> anyhow::Result<String> {
    json(sqlx::query_as::<_, Columns>(ROWS).fetch_all(pool).await?)
}

fn json(rows: impl IntoIterator<Item = Columns>) -> anyhow::Result<String> {
    let things = rows.into_iter().map(|(id, name, city, rating)| Thing {
        id,
        name,
        city,
        rating,
    });
    Ok(serde_json::to_string(&things.collect::<Vec<_>>())?)
}
