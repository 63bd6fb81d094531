//! A component that uses what the host offers, one path for each case: `200` and what it saw, or
//! `500` and what went wrong. Written with spin-sdk alone.

mod config;
mod environment;
mod files;
mod http;
mod key_value;
mod keyvalue;
mod postgres;
mod redis;
mod sockets;
mod system;
mod variables;

use spin_sdk::http::{Request, Response, StatusCode};
use spin_sdk::http_service;

type Seen = Result<String, Box<dyn std::error::Error>>;

#[http_service]
async fn serve(request: Request) -> Response<String> {
    let path = request.uri().path().to_owned();
    let (interface, case) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let seen = match interface {
        "postgres" => postgres::case(case).await,
        "redis" => redis::case(case).await,
        "key-value" => key_value::case(case).await,
        "keyvalue" => keyvalue::case(case).await,
        "variables" => variables::case().await,
        "config" => config::case(),
        "http" => http::case(case, request).await,
        "files" => files::case(case),
        "environment" => environment::case(),
        "sockets" => sockets::case(case, &request).await,
        "system" => system::case(case).await,
        _ => Err(format!("no case {path}").into()),
    };
    let (status, text) = match seen {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// How many there are to be had until no more is given, and then again, once all are dropped.
fn until_no_more<T>(open: impl Fn() -> Result<T, String>) -> String {
    const MOST: usize = 2_000;
    let count = || {
        let mut held = Vec::new();
        while held.len() < MOST {
            match open() {
                Ok(one) => held.push(one),
                Err(why) => return (held.len(), why),
            }
        }
        (MOST, "no end".to_owned())
    };
    let (first, why) = count();
    let (second, _) = count();
    format!("{first}, again {second}: {why}")
}

/// `ok`, or what was seen instead of what was expected.
fn compare(seen: impl std::fmt::Debug, expected: &str) -> Result<(), String> {
    let seen = format!("{seen:?}");
    if seen == expected {
        Ok(())
    } else {
        Err(format!("saw {seen} instead of {expected}"))
    }
}

fn done() -> Seen {
    Ok("ok".into())
}
