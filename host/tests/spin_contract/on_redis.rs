//! `spin:redis` against a real server, without a guest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use praxis_host::capabilities::redis::{
    self, Error, Limits, RedisParameter, RedisResult, Server as Redis, Servers,
};

use crate::free_port;
use crate::redis::{shared, start};

async fn connect() -> Arc<Redis> {
    Arc::new(Redis::new(&shared().await.url()).unwrap())
}

async fn execute(server: &Redis, line: &[&str]) -> Result<Vec<RedisResult>, Error> {
    let arguments: Vec<_> = line[1..]
        .iter()
        .map(|word| RedisParameter::Binary(word.as_bytes().to_vec()))
        .collect();
    redis::execute(server, line[0], &arguments).await
}

async fn answer(server: &Redis, line: &[&str]) -> String {
    format!("{:?}", execute(server, line).await.unwrap())
}

fn expected(results: &[RedisResult]) -> String {
    format!("{results:?}")
}

fn binary(text: &str) -> RedisResult {
    RedisResult::Binary(text.as_bytes().to_vec())
}

#[tokio::test]
async fn replies_are_flat_and_nils_keep_their_place() {
    let server = connect().await;
    let ok = expected(&[RedisResult::Status("OK".into())]);
    assert_eq!(answer(&server, &["SET", "a", "1"]).await, ok);
    let written = answer(&server, &["HSET", "h", "x", "1", "z", "3"]).await;
    assert_eq!(written, expected(&[RedisResult::Int64(2)]));
    let read = answer(&server, &["HMGET", "h", "x", "y", "z"]).await;
    assert_eq!(
        read,
        expected(&[binary("1"), RedisResult::Nil, binary("3")])
    );
    let script = "return {1, {'a', false, {redis.call('GET', KEYS[1])}}, redis.status_reply('S')}";
    let scripted = answer(&server, &["EVAL", script, "1", "a"]).await;
    let flat = [
        RedisResult::Int64(1),
        binary("a"),
        RedisResult::Nil,
        binary("1"),
        RedisResult::Status("S".into()),
    ];
    assert_eq!(scripted, expected(&flat));
    let missing = answer(&server, &["GET", "nothing"]).await;
    assert_eq!(missing, expected(&[RedisResult::Nil]));
}

#[tokio::test]
async fn an_error_begins_with_the_servers_code() {
    let server = connect().await;
    let unknown = execute(&server, &["EVALSHA", &"0".repeat(40), "0"]).await;
    let unknown = unknown.unwrap_err().to_string();
    assert!(unknown.starts_with("NOSCRIPT"), "{unknown}");
    execute(&server, &["SET", "string", "x"]).await.unwrap();
    let wrong = execute(&server, &["HGET", "string", "f"]).await;
    assert!(matches!(wrong, Err(Error::Type)), "{wrong:?}");
    let error = execute(
        &server,
        &["EVAL", "return redis.error_reply('STALE v3')", "0"],
    )
    .await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("STALE"), "{error}");
}

#[tokio::test]
async fn a_command_that_would_take_the_connection_is_refused_and_nobody_gets_anothers_reply() {
    let (first, second) = (connect().await, connect().await);
    for (client, value) in [(&first, "one"), (&second, "two")] {
        execute(client, &["SET", value, value]).await.unwrap();
    }
    for line in [
        vec!["MULTI"],
        vec!["select", "1"],
        vec!["BLPOP", "k", "0"],
        vec!["SUBSCRIBE", "c"],
        vec!["UNSUBSCRIBE", "a", "b", "c"],
        vec!["punsubscribe", "a", "b"],
        vec!["SUNSUBSCRIBE", "a", "b"],
        vec!["REPLCONF", "ACK", "0"],
        vec!["CLIENT", "REPLY", "OFF"],
        vec!["script", "debug", "yes"],
        vec!["WAITAOF", "1", "0", "0"],
        vec!["XREAD", "block", "0", "STREAMS", "s", "$"],
        vec!["SHUTDOWN", "NOSAVE"],
        vec!["DEBUG", "SLEEP", "1"],
    ] {
        let refused = execute(&first, &line).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{line:?}");
        // Several at one time, so that a reply too many or too few would shift the rest.
        let asked = join_all((0..10).map(|n| {
            let (client, value) = [(&first, "one"), (&second, "two")][n % 2];
            async move { (answer(client, &["GET", value]).await, value) }
        }));
        for (reply, value) in asked.await {
            assert_eq!(reply, expected(&[binary(value)]), "{line:?}");
        }
    }
    let stored = execute(&first, &["SCRIPT", "LOAD", "return 1"]).await;
    assert!(stored.is_ok(), "{stored:?}");
}

#[tokio::test]
async fn a_component_has_its_own_connections_and_so_many_of_them() {
    let servers = Servers::default();
    let address = |n: usize| format!("redis://127.0.0.1:{n}");
    let own = servers.at("a", Limits::default(), &address(1)).unwrap();
    assert!(Arc::ptr_eq(
        &own,
        &servers.at("a", Limits::default(), &address(1)).unwrap()
    ));
    assert!(!Arc::ptr_eq(
        &own,
        &servers.at("b", Limits::default(), &address(1)).unwrap()
    ));
    let mut held = vec![own];
    for n in 2..100 {
        match servers.at("a", Limits::default(), &address(n)) {
            Ok(server) => held.push(server),
            Err(error) => {
                assert!(matches!(error, Error::TooMany), "{error:?}");
                break;
            }
        }
    }
    assert!(held.len() < 20, "{}", held.len());
    assert!(servers.at("b", Limits::default(), &address(50)).is_ok());
    // What is not held any more makes room.
    held.pop();
    assert!(servers.at("a", Limits::default(), &address(200)).is_ok());
    assert!(servers.at("a", Limits::default(), "no address").is_err());
}

#[tokio::test]
async fn a_server_that_refuses_fails_at_once() {
    let dead = Redis::new(&format!("redis://127.0.0.1:{}", free_port())).unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        let answer = execute(&dead, &["GET", "a"]).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    }
    assert!(
        started.elapsed() < Duration::from_millis(100),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for_for_long() {
    // Accepts, and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let hanging = Redis::new(&url).unwrap();
    let started = Instant::now();
    let all = join_all((0..20).map(|_| execute(&hanging, &["GET", "a"]))).await;
    assert!(
        all.iter()
            .all(|answer| matches!(answer, Err(Error::Unavailable(_))))
    );
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_was_restarted_is_found_again() {
    let (mut server, _folder) = start().await;
    let redis = Redis::new(&server.url()).unwrap();
    execute(&redis, &["SET", "kept", "1"]).await.unwrap();
    server.stop().await.unwrap();
    let answer = execute(&redis, &["INCR", "kept"]).await;
    assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
    server.start_again().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while execute(&redis, &["INCR", "kept"]).await.is_err() {
        assert!(Instant::now() < deadline, "Redis was not found again");
        tokio::task::yield_now().await;
    }
    let kept = format!("{:?}", execute(&redis, &["GET", "kept"]).await.unwrap());
    assert_eq!(kept, expected(&[binary("2")]));
}

#[tokio::test]
async fn a_restart_goes_unnoticed_by_commands_that_may_be_repeated() {
    let (mut server, _folder) = start().await;
    let redis = Redis::new(&server.url()).unwrap();
    execute(&redis, &["SET", "kept", "1"]).await.unwrap();
    server.stop().await.unwrap();
    server.start_again().await.unwrap();
    let kept = format!("{:?}", execute(&redis, &["GET", "kept"]).await.unwrap());
    assert_eq!(kept, expected(&[binary("1")]));
}

#[tokio::test]
async fn one_connection_serves_all() {
    let servers = Servers::default();
    let (server, _folder) = start().await;
    let url = server.url();
    let all = join_all((0..500).map(|n| {
        let server = servers.at("a", Limits::default(), &url).unwrap();
        async move { execute(&server, &["INCRBY", "sum", &n.to_string()]).await }
    }));
    assert!(all.await.into_iter().all(|answer| answer.is_ok()));
    let server = servers.at("a", Limits::default(), &url).unwrap();
    let sum = format!("{:?}", execute(&server, &["GET", "sum"]).await.unwrap());
    assert_eq!(sum, expected(&[binary("124750")]));
    let info = execute(&server, &["INFO", "clients"]).await.unwrap();
    let [RedisResult::Binary(info)] = info.as_slice() else {
        panic!("{info:?}");
    };
    let info = String::from_utf8_lossy(info);
    assert!(info.contains("connected_clients:1\r"), "{info}");
    assert!(redis::health(&server).await.is_ok());
}

#[tokio::test]
async fn an_address_must_be_one_of_redis() {
    for address in ["", "redis://", "http://127.0.0.1", "not an address"] {
        assert!(
            matches!(Redis::new(address), Err(Error::Address)),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_reply_has_as_many_bytes_as_the_manifest_says() {
    let server = Redis::bounded(&shared().await.url(), 10_000).unwrap();
    execute(&server, &["SET", "short", &"x".repeat(9_000)])
        .await
        .unwrap();
    execute(&server, &["SET", "long", &"x".repeat(10_001)])
        .await
        .unwrap();
    let numbers: Vec<_> = (0..200).map(|n| n.to_string()).collect();
    let numbers: Vec<_> = numbers.iter().map(String::as_str).collect();
    let line = [&["RPUSH", "many"], numbers.as_slice()].concat();
    execute(&server, &line).await.unwrap();
    for line in [
        &["GET", "long"][..],
        &["MGET", "short", "short"],
        &["LRANGE", "many", "0", "-1"],
    ] {
        let refused = execute(&server, line).await;
        assert!(
            matches!(refused, Err(Error::TooLong(10_000))),
            "{line:?}: {refused:?}"
        );
        // The next has a connection of its own.
        assert_eq!(answer(&server, &["STRLEN", "short"]).await, "[Int64(9000)]");
    }
    // Many replies one after the other are no long one.
    let short = (0..50).map(|_| execute(&server, &["GET", "short"]));
    assert!(join_all(short).await.iter().all(Result::is_ok));
}
