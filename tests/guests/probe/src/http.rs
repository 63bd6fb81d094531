//! Outbound `wasi:http` 0.3. The address is in the header `probe-url`.

use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{self, FullBody, HeaderMap, Request, Response};
use spin_sdk::wasip3::http::types::ErrorCode;

use crate::Seen;

pub async fn case(case: &str, request: Request) -> Seen {
    let url = header(request.headers(), "probe-url").ok_or("no probe-url")?;
    let answer = match case {
        "get" => http::get(&url).await,
        "post" => http::post(&url, vec![b'x'; 1_000_000]).await,
        "methods" => methods(&url).await,
        "header" => {
            let request = Request::post(&url)
                .header("probe", "kept")
                .header("praxis-claims", "forged")
                .header("spin-path-info", "forged");
            http::send(request.body(FullBody::new(&b"body"[..]))?).await
        }
        _ => return Err(format!("no case {case}").into()),
    };
    Ok(match answer {
        Ok(answer) => {
            let status = answer.status();
            let location = header(answer.headers(), "location").unwrap_or_default();
            let text = match answer.into_body().bytes().await {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => format!("broken: {error:?}"),
            };
            format!("{} {location} {text}", status.as_u16())
        }
        Err(error) => format!("refused: {error:?}"),
    })
}

async fn methods(url: &str) -> Result<Response, ErrorCode> {
    http::put(url, "a").await?;
    http::patch(url, "b").await?;
    http::delete(url).await
}

pub fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}
