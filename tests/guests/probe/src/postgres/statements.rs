//! Statements, connections and what goes wrong with them.

use spin_sdk::pg::wit::postgres as raw;
use spin_sdk::pg::{Connection, Error, OpenOptions, ParameterValue as P, PgError, QueryError};
use spin_sdk::variables;

use super::connect;
use crate::{Seen, compare, done};

/// More rows than one batch, read as a stream; a value of each column type on the way.
pub async fn rows() -> Seen {
    let database = connect().await?;
    let sql = "select n::int4, 'é' || n::text as t, now() as at from generate_series(1, $1) n";
    let mut result = database.query(sql, [P::Int32(5000)]).await?;
    let names: Vec<_> = result.columns().iter().map(|c| c.name.clone()).collect();
    compare(names, "[\"n\", \"t\", \"at\"]")?;
    let mut sum = 0;
    while let Some(row) = result.next().await {
        sum += i64::from(row.get::<i32>("n").ok_or("n is missing")?);
        row.get::<String>("t").ok_or("t is missing")?;
    }
    result.result().await?;
    compare(sum, "12502500")?;
    // Part of a result, dropped: the connection is of use afterwards.
    let mut result = database.query(sql, [P::Int32(5000)]).await?;
    result.next().await.ok_or("no row")?;
    drop(result);
    let rows = database.query(sql, [P::Int32(3)]).await?.collect().await?;
    compare(rows.len(), "3")?;
    done()
}

/// Columns are known where there are no rows.
pub async fn columns() -> Seen {
    let database = connect().await?;
    let sql = "select 1::int4 as a, 'x'::text as b, null::jsonb as c where false";
    let result = database.query(sql, []).await?;
    let columns: Vec<_> = result
        .columns()
        .iter()
        .map(|column| format!("{} {:?}", column.name, column.data_type))
        .collect();
    let columns = columns.join(", ").replace("DbDataType::", "");
    compare(columns, "\"a Int32, b Str, c Jsonb\"")?;
    compare(result.collect().await?.len(), "0")?;
    let none = database.query("select where false", []).await?;
    compare(none.columns().len(), "0")?;
    done()
}

/// An error after the first rows is told by the result's end.
pub async fn broken() -> Seen {
    let database = connect().await?;
    let sql = "select 1 / (3000 - n) from generate_series(1, 5000) n";
    let mut result = database.query(sql, []).await?;
    let mut rows = 0;
    while result.next().await.is_some() {
        rows += 1;
    }
    compare(rows < 3000, "true")?;
    let error = format!("{:?}", result.result().await);
    compare(error.contains("22012"), "true")?;
    done()
}

/// The functions without `-async`.
pub async fn blocking() -> Seen {
    let address = variables::get("database_url").await?;
    let database = raw::Connection::open(&address)?;
    compare(database.execute("select 1", &[])?, "1")?;
    let set = database.query("select $1::int8 + 1 as sum", &[P::Int64(41)])?;
    compare(&set.rows[0][0], "DbValue::Int64(42)")?;
    compare(&set.columns[0].name, "\"sum\"")?;
    let empty = database.query("select 1 as a where false", &[])?;
    compare((empty.rows.len(), empty.columns.len()), "(0, 1)")?;
    let error = database.query("select nothing", &[]).err();
    compare(matches!(error, Some(PgError::QueryFailed(_))), "true")?;
    let builder = raw::ConnectionBuilder::new(&address);
    let built = builder.build()?;
    compare(built.execute("select 1", &[])?, "1")?;
    compare(
        raw::Connection::open("postgres://127.0.0.1:1/x").is_err(),
        "true",
    )?;
    compare(
        raw::ConnectionBuilder::new("postgres://127.0.0.1:1/x")
            .build()
            .is_err(),
        "true",
    )?;
    done()
}

const NO_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

pub async fn builder() -> Seen {
    let address = variables::get("database_url").await?;
    let options = OpenOptions::default();
    let database = Connection::open_with_options(&address, options).await?;
    let rows = database.query("select 1", []).await?.collect().await?;
    compare(rows.len(), "1")?;
    let builder = raw::ConnectionBuilder::new(&address);
    let error = builder.set_ca_root("no certificate").err();
    compare(matches!(error, Some(PgError::Other(_))), "true")?;
    // The server has no TLS, and with a certificate must not be spoken to without.
    builder.set_ca_root(NO_CERTIFICATE)?;
    let outcome = match builder.build_async().await {
        Ok(database) => database.execute_async("select 1".into(), Vec::new()).await,
        Err(error) => Err(error),
    };
    compare(matches!(outcome, Err(PgError::ConnectionFailed(_))), "true")?;
    let elsewhere = "postgres://postgres@127.0.0.1:1/postgres";
    let refused = Connection::open_with_options(elsewhere, OpenOptions::default()).await;
    match refused {
        Err(Error::PgError(PgError::ConnectionFailed(reason))) => {
            compare(reason.contains("not granted"), "true")?;
        }
        _ => return Err("the builder connects to what is not granted".into()),
    }
    done()
}

/// With the authority's certificate from the environment.
pub async fn secured() -> Seen {
    let builder = raw::ConnectionBuilder::new(&variables::get("database_url").await?);
    builder.set_ca_root(&std::env::var("AUTHORITY")?)?;
    let database = builder.build_async().await?;
    let sql = "select 1 / ssl::int from pg_stat_ssl where pid = pg_backend_pid()";
    match database.execute_async(sql.into(), Vec::new()).await {
        Ok(rows) => compare(rows, "1")?,
        Err(PgError::ConnectionFailed(_)) => return Ok("connection-failed".into()),
        Err(error) => return Err(error.into()),
    }
    done()
}

pub async fn errors() -> Seen {
    let database = connect().await?;
    let sql = "insert into probes values (1), (1)";
    let error = match database.execute(sql, []).await {
        Err(Error::PgError(PgError::QueryFailed(QueryError::DbError(error)))) => error,
        other => return Err(format!("{other:?}").into()),
    };
    compare(&error.code, "\"23505\"")?;
    compare(&error.severity, "\"ERROR\"")?;
    compare(error.message.contains("probes_once"), "true")?;
    compare(error.as_text.contains("probes_once"), "true")?;
    compare(&error.detail, "Some(\"Key (a)=(1) already exists.\")")?;
    for (name, expected) in [
        ("constraint_name", "probes_once"),
        ("table_name", "probes"),
        ("schema_name", "public"),
    ] {
        let extra = error.extras.iter().find(|(key, _)| key == name);
        compare(
            extra.map(|(_, value)| value),
            &format!("Some({expected:?})"),
        )?;
    }
    let raised = "do $$ begin raise exception 'no' using errcode = 'P0042', hint = 'ask'; end $$";
    let error = format!("{:?}", database.execute(raised, []).await);
    compare(error.contains("P0042") && error.contains("ask"), "true")?;
    let cases = [
        ("select $1::int4", vec![P::Str("x".into())], "BadParameter"),
        ("select $1::int4", vec![], "BadParameter"),
        ("select 1", vec![P::Int32(1)], "BadParameter"),
        ("select $1::int2", vec![P::Int32(70_000)], "BadParameter"),
        (
            "select $1::jsonb",
            vec![P::Jsonb(b"{".to_vec())],
            "BadParameter",
        ),
        ("select $1::uuid", vec![P::Uuid("x".into())], "BadParameter"),
        ("selec", vec![], "42601"),
        ("select * from nowhere", vec![], "42P01"),
        ("select 1 / $1::int4", vec![P::Int32(0)], "22012"),
    ];
    for (sql, values, expected) in cases {
        let outcome = match database.query(sql, values).await {
            Ok(result) => result.collect().await.map(drop),
            Err(error) => Err(error),
        };
        let text = format!("{outcome:?}");
        compare(text.contains(expected), "true").map_err(|_| format!("{sql}: {text}"))?;
    }
    // None of them has hurt the connection.
    compare(database.execute("select 1", []).await?, "1")?;
    done()
}

pub async fn transaction() -> Seen {
    let database = connect().await?;
    database.execute("begin", []).await?;
    database
        .execute("insert into probes values (10)", [])
        .await?;
    database.execute("savepoint s", []).await?;
    let twice = database.execute("insert into probes values (10)", []).await;
    compare(twice.is_err(), "true")?;
    database.execute("rollback to s", []).await?;
    database.execute("commit", []).await?;
    database.execute("begin", []).await?;
    compare(
        database
            .execute("delete from probes where a = 10", [])
            .await?,
        "1",
    )?;
    database.execute("rollback", []).await?;
    compare(
        database
            .execute("delete from probes where a = 10", [])
            .await?,
        "1",
    )?;
    done()
}

/// Leaves a transaction open.
pub async fn abandoned() -> Seen {
    let database = connect().await?;
    database.execute("begin", []).await?;
    database
        .execute("insert into probes values (2)", [])
        .await?;
    Ok("left".into())
}

pub async fn count() -> Seen {
    let database = connect().await?;
    let rows = database.query("select count(*) from probes", []).await?;
    Ok(format!("{:?}", rows.collect().await?[0][0]))
}

/// An address in the form of libpq.
pub async fn keywords() -> Seen {
    let database = Connection::open(variables::get("database_words").await?).await?;
    compare(database.execute("select 1", []).await?, "1")?;
    for address in [
        "host=127.0.0.1 port=1",
        "host=elsewhere.example user=x",
        "user=x",
        "host",
    ] {
        compare(Connection::open(address).await.is_err(), "true")?;
    }
    done()
}

pub async fn elsewhere() -> Seen {
    for address in [
        "postgres://postgres@127.0.0.1:1/postgres",
        "postgres://elsewhere.example/x",
        "redis://127.0.0.1:1",
        "",
    ] {
        match Connection::open(address).await {
            Err(Error::PgError(PgError::ConnectionFailed(_))) => {}
            Ok(_) => return Err(format!("opened {address}").into()),
            Err(error) => return Err(format!("{address}: {error:?}").into()),
        }
    }
    done()
}
