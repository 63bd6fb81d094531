//! A component that uses what the host offers, one path for each case: `200` and what it saw, or
//! `500` and what went wrong. Written with spin-sdk alone.

use spin_sdk::http::{Request, Response, StatusCode};
use spin_sdk::key_value::Store;
use spin_sdk::pg::wit::postgres as raw;
use spin_sdk::pg::{Connection, OpenOptions, ParameterValue};
use spin_sdk::redis::{self, RedisParameter};
use spin_sdk::{http, http_service, variables};

type Seen = Result<String, Box<dyn std::error::Error>>;

#[http_service]
async fn serve(request: Request) -> Response<String> {
    let seen = match request.uri().path() {
        "/postgres/rows" => rows().await,
        "/postgres/blocking" => blocking().await,
        "/postgres/builder" => builder().await,
        "/postgres/constraint" => constraint().await,
        "/postgres/abandoned" => abandoned().await,
        "/postgres/count" => count().await,
        "/postgres/elsewhere" => elsewhere().await,
        "/redis/script" => script().await,
        "/redis/functions" => functions().await,
        "/redis/elsewhere" => redis_elsewhere().await,
        "/key-value" => key_value().await,
        "/key-value/denied" => denied().await,
        "/variables" => known().await,
        "/http" => fetch().await,
        path => Err(format!("no case {path}").into()),
    };
    let (status, text) = match seen {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

async fn connect() -> Result<Connection, Box<dyn std::error::Error>> {
    Ok(Connection::open(variables::get("database_url").await?).await?)
}

/// More rows than one batch, read as a stream; a value of each column type on the way.
async fn rows() -> Seen {
    let database = connect().await?;
    let sql = "select n::int4, 'é' || n::text as t, now() as at from generate_series(1, $1) n";
    let mut result = database.query(sql, [ParameterValue::Int32(2000)]).await?;
    let names: Vec<_> = result.columns().iter().map(|c| c.name.clone()).collect();
    let mut sum = 0;
    while let Some(row) = result.next().await {
        sum += i64::from(row.get::<i32>("n").ok_or("n is missing")?);
        row.get::<String>("t").ok_or("t is missing")?;
    }
    result.result().await?;
    Ok(format!("{} {sum}", names.join(",")))
}

/// The functions without `-async`.
async fn blocking() -> Seen {
    let address = variables::get("database_url").await?;
    let database = raw::Connection::open(&address)?;
    let changed = database.execute("select 1", &[])?;
    let set = database.query("select $1::int8 + 1", &[ParameterValue::Int64(41)])?;
    Ok(format!("{changed} {:?}", set.rows[0][0]))
}

async fn builder() -> Seen {
    let address = variables::get("database_url").await?;
    let options = OpenOptions::default();
    let database = Connection::open_with_options(&address, options).await?;
    let rows = database.query("select 1", []).await?.collect().await?;
    Ok(rows.len().to_string())
}

async fn constraint() -> Seen {
    let database = connect().await?;
    let error = database
        .execute("insert into probes values (1), (1)", [])
        .await;
    match error {
        Err(spin_sdk::pg::Error::PgError(raw::Error::QueryFailed(raw::QueryError::DbError(
            error,
        )))) => {
            let name = error
                .extras
                .iter()
                .find(|(name, _)| name == "constraint_name");
            Ok(format!("{} {:?}", error.code, name.map(|(_, value)| value)))
        }
        other => Err(format!("{other:?}").into()),
    }
}

/// Leaves a transaction open.
async fn abandoned() -> Seen {
    let database = connect().await?;
    database.execute("begin", []).await?;
    database
        .execute("insert into probes values (2)", [])
        .await?;
    Ok("left".into())
}

async fn count() -> Seen {
    let database = connect().await?;
    let rows = database.query("select count(*) from probes", []).await?;
    Ok(format!("{:?}", rows.collect().await?[0][0]))
}

async fn elsewhere() -> Seen {
    let address = "postgres://postgres@127.0.0.1:1/postgres";
    match Connection::open(address).await {
        Ok(_) => Ok("opened".into()),
        Err(error) => Ok(format!("refused: {error:?}")),
    }
}

async fn script() -> Seen {
    let connection = redis::Connection::open(variables::get("redis_url").await?).await?;
    let script = "return {1, {'a', false}, redis.call('PING')}";
    let arguments = [script, "0"].map(|word| RedisParameter::Binary(word.into()));
    Ok(format!(
        "{:?}",
        connection.execute("EVAL", arguments).await?
    ))
}

async fn functions() -> Seen {
    let connection = redis::Connection::open(variables::get("redis_url").await?).await?;
    connection.set("probe:a", b"1").await?;
    let two = connection.incr("probe:a").await?;
    let a = connection.get("probe:a").await?;
    let nothing = connection.get("probe:nothing").await?;
    let added = connection.sadd("probe:s", ["x", "y"]).await?;
    let removed = connection.srem("probe:s", ["x"]).await?;
    let members = connection.smembers("probe:s").await?;
    let deleted = connection.del(["probe:a", "probe:s"]).await?;
    connection.publish("probe", b"hello").await?;
    Ok(format!(
        "{two} {a:?} {nothing:?} {added} {removed} {members:?} {deleted}"
    ))
}

async fn redis_elsewhere() -> Seen {
    match redis::Connection::open("redis://127.0.0.1:1").await {
        Ok(_) => Ok("opened".into()),
        Err(error) => Ok(format!("refused: {error:?}")),
    }
}

async fn key_value() -> Seen {
    let store = Store::open("default").await?;
    store.set("probe", b"1").await?;
    let value = store.get("probe").await?;
    let keys = store.get_keys().await.collect().await?;
    store.delete("probe").await?;
    let exists = store.exists("probe").await?;
    Ok(format!("{value:?} {keys:?} {exists}"))
}

async fn denied() -> Seen {
    match Store::open("other").await {
        Ok(_) => Ok("opened".into()),
        Err(error) => Ok(format!("refused: {error:?}")),
    }
}

async fn known() -> Seen {
    let greeting = variables::get("greeting").await?;
    let undefined = variables::get("nobody").await.err();
    let invalid = variables::get("No-Name").await.err();
    Ok(format!("{greeting} {undefined:?} {invalid:?}"))
}

async fn fetch() -> Seen {
    match http::get(variables::get("fetch_url").await?).await {
        Ok(response) => Ok(format!("fetched {}", response.status())),
        Err(error) => Ok(format!("refused: {error:?}")),
    }
}
