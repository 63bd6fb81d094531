//! `spin:redis@3.0.0`.

use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use spin_sdk::variables;

use crate::{Seen, compare, done};

pub async fn case(case: &str) -> Seen {
    match case {
        "functions" => functions().await,
        "types" => types().await,
        "execute" => execute().await,
        "refused" => refused().await,
        "publish" => {
            connect().await?.publish("probe", b"hello\x00").await?;
            done()
        }
        "elsewhere" => elsewhere().await,
        _ => Err(format!("no case {case}").into()),
    }
}

async fn connect() -> Result<Connection, Box<dyn std::error::Error>> {
    Ok(Connection::open(variables::get("redis_url").await?).await?)
}

async fn functions() -> Seen {
    let connection = connect().await?;
    connection.set("probe:a", b"1").await?;
    compare(connection.incr("probe:a").await?, "2")?;
    compare(connection.incr("probe:new").await?, "1")?;
    compare(connection.get("probe:a").await?, "Some([50])")?;
    compare(connection.get("probe:nothing").await?, "None")?;
    connection.set("probe:bytes", b"\x00\xff").await?;
    compare(connection.get("probe:bytes").await?, "Some([0, 255])")?;
    compare(connection.sadd("probe:s", ["x", "y", "x"]).await?, "2")?;
    compare(connection.srem("probe:s", ["x", "z"]).await?, "1")?;
    compare(connection.smembers("probe:s").await?, "[\"y\"]")?;
    compare(connection.smembers("probe:nothing").await?, "[]")?;
    let keys = [
        "probe:a",
        "probe:new",
        "probe:bytes",
        "probe:s",
        "probe:nothing",
    ];
    compare(connection.del(keys).await?, "4")?;
    compare(connection.del([""; 0]).await?, "0")?;
    done()
}

async fn types() -> Seen {
    let connection = connect().await?;
    connection.set("probe:word", b"word").await?;
    let incr = connection.incr("probe:word").await.err();
    compare(
        matches!(incr, Some(Error::TypeError | Error::Other(_))),
        "true",
    )?;
    let sadd = connection.sadd("probe:word", ["x"]).await.err();
    compare(sadd, "Some(Error::TypeError)")?;
    let members = connection.smembers("probe:word").await.err();
    compare(members, "Some(Error::TypeError)")?;
    connection.del(["probe:word"]).await?;
    done()
}

async fn execute() -> Seen {
    let connection = connect().await?;
    let call = async |command: &str, arguments: &[&str]| {
        let arguments = arguments
            .iter()
            .map(|word| RedisParameter::Binary(word.as_bytes().to_vec()));
        connection
            .execute(command, arguments.collect::<Vec<_>>())
            .await
    };
    let seen = call("GET", &["probe:nothing"]).await?;
    same(seen, &[RedisResult::Nil])?;
    let seen = call("SET", &["probe:e", "7"]).await?;
    same(seen, &[RedisResult::Status("OK".into())])?;
    let seen = call("PING", &[]).await?;
    same(seen, &[RedisResult::Status("PONG".into())])?;
    let seen = call("STRLEN", &["probe:e"]).await?;
    same(seen, &[RedisResult::Int64(1)])?;
    let seen = call("GET", &["probe:e"]).await?;
    same(seen, &[RedisResult::Binary(b"7".to_vec())])?;
    let numbers = [
        RedisParameter::Binary(b"probe:e".to_vec()),
        RedisParameter::Int64(-9),
    ];
    let seen = connection.execute("INCRBY", numbers).await?;
    same(seen, &[RedisResult::Int64(-2)])?;
    let script = "return {1, {'a', false, {}}, redis.call('PING'), {{redis.call('GET', KEYS[1])}}}";
    let seen = call("EVAL", &[script, "1", "probe:e"]).await?;
    let flat = [
        RedisResult::Int64(1),
        RedisResult::Binary(b"a".to_vec()),
        RedisResult::Nil,
        RedisResult::Status("PONG".into()),
        RedisResult::Binary(b"-2".to_vec()),
    ];
    same(seen, &flat)?;
    let seen = call("DEL", &["probe:e"]).await?;
    same(seen, &[RedisResult::Int64(1)])?;
    done()
}

fn same(seen: Vec<RedisResult>, expected: &[RedisResult]) -> Result<(), String> {
    compare(seen, &format!("{expected:?}"))
}

async fn refused() -> Seen {
    let connection = connect().await?;
    let none: [RedisParameter; 0] = [];
    let shared = connection.execute("MULTI", none).await.err();
    let named = matches!(&shared, Some(Error::Other(reason)) if reason.contains("shared"));
    compare(named, "true")?;
    let none: [RedisParameter; 0] = [];
    let unknown = connection.execute("NOTHING", none).await.err();
    let named = matches!(&unknown, Some(Error::Other(reason)) if reason.starts_with("ERR"));
    compare(named, "true")?;
    done()
}

async fn elsewhere() -> Seen {
    for address in ["redis://127.0.0.1:1", "http://127.0.0.1", "nonsense", ""] {
        let refused = Connection::open(address).await.err();
        compare(refused, "Some(Error::InvalidAddress)")?;
    }
    done()
}
