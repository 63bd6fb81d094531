//! A component behind `[[trigger.redis]]`. A message says what is to happen, and Redis keeps what
//! did: `ok NAME`, `fail TIMES NAME`, `trap`, `loop` or `slow NAME`.

#![expect(unsafe_code, reason = "spin-sdk writes the bindings into this crate")]

use std::time::Duration;

use spin_sdk::redis::{Connection, RedisParameter};
use spin_sdk::{redis_subscriber, time, variables};

type Fault = Box<dyn std::error::Error>;

#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), Fault> {
    let text = String::from_utf8(message)?;
    let words: Vec<_> = text.split(' ').collect();
    let redis = Connection::open(variables::get("redis_url").await?).await?;
    match words.as_slice() {
        ["ok", name] => keep(&redis, name).await,
        ["fail", times, name] => {
            let tried = redis.incr(format!("tried:{name}")).await?;
            if tried <= times.parse()? {
                return Err(format!("{name} fails for the {tried}. time").into());
            }
            keep(&redis, name).await
        }
        ["trap"] => {
            redis.incr("trapped").await?;
            panic!("as it was told to")
        }
        ["loop"] => {
            redis.incr("looped").await?;
            loop {
                std::hint::spin_loop();
            }
        }
        ["slow", name] => {
            let now = redis.incr("at-once").await?;
            let sample = [&b"at-once-seen"[..], now.to_string().as_bytes()]
                .map(|word| RedisParameter::Binary(word.to_vec()));
            redis.execute("RPUSH", sample).await?;
            time::sleep(Duration::from_millis(100)).await;
            let less = [RedisParameter::Binary(b"at-once".to_vec())];
            redis.execute("DECR", less).await?;
            keep(&redis, name).await
        }
        _ => Err(format!("no case {text}").into()),
    }
}

async fn keep(redis: &Connection, name: &str) -> Result<(), Fault> {
    let pair = ["seen", name].map(|word| RedisParameter::Binary(word.into()));
    redis.execute("RPUSH", pair).await?;
    Ok(())
}
