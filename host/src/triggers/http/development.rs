//! What only a development host serves: tokens for anybody, and the mail that was caught.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::auth::Claims;
use super::issuer::Issuer;
use super::routes::Found;
use super::{Problem, Response, response};
use crate::capabilities::delivery::catcher::Catcher;
use crate::capabilities::delivery::page;

const TOKEN_ROUTES: [(&str, Page); 1] = [("/dev/token", Page::Token)];
const MAIL_ROUTES: [(&str, Page); 3] = [
    ("/dev/mail", Page::Mail),
    ("/dev/mail.json", Page::MailJson),
    ("/dev/mail/:id", Page::MailItem),
];

const BODY_BYTES_MAX: usize = 16 << 10;
const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

#[derive(Debug, Clone, Copy)]
pub enum Page {
    Token,
    Mail,
    MailJson,
    MailItem,
}

/// The development issuer and the mail catcher, each where the application has use for it.
/// Outside development neither is there.
#[derive(Default)]
pub struct Development {
    pub issuer: Option<Issuer>,
    pub catcher: Option<Arc<Catcher>>,
}

impl Development {
    pub fn routes(&self) -> impl Iterator<Item = (&'static str, Page)> {
        let tokens = self.issuer.iter().flat_map(|_| TOKEN_ROUTES);
        let mail = self.catcher.iter().flat_map(|_| MAIL_ROUTES);
        tokens.chain(mail)
    }

    /// The request's target is an absolute address.
    pub async fn answer<T>(
        &self,
        page: Page,
        found: &Found<'_, T>,
        request: http::Request<Incoming>,
    ) -> Result<Response, Problem> {
        // A web page elsewhere may let its own name lead here (DNS rebinding), and read the answer.
        if !request.uri().host().is_some_and(is_here) {
            let detail = "what is only for development is asked for at localhost";
            return Err(Problem::forbidden(detail));
        }
        match (page, &self.issuer, &self.catcher) {
            (Page::Token, Some(issuer), _) => token(issuer, request).await,
            (Page::Mail, _, Some(catcher)) => {
                Ok(response(StatusCode::OK, HTML, page::list(&catcher.list())))
            }
            (Page::MailJson, _, Some(catcher)) => {
                Ok(response(StatusCode::OK, JSON, page::json(&catcher.list())))
            }
            (Page::MailItem, _, Some(catcher)) => {
                let id = found.name("id").unwrap_or_default();
                let mail = catcher.find(id).ok_or_else(Problem::not_found)?;
                Ok(response(StatusCode::OK, HTML, page::mail(&mail)))
            }
            _ => Err(Problem::not_found()),
        }
    }
}

/// Whether the host is this machine, whoever answers for names.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |ip| {
        ip.is_loopback()
    })
}

/// `POST /dev/token`: the body is the claims that the token shall carry.
async fn token(issuer: &Issuer, request: http::Request<Incoming>) -> Result<Response, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::method_not_allowed("POST"));
    }
    let body = http_body_util::Limited::new(request.into_body(), BODY_BYTES_MAX);
    let body = body
        .collect()
        .await
        .map_err(|_| Problem::too_large(BODY_BYTES_MAX as u64))?
        .to_bytes();
    let claims: Claims =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_request(error.to_string()))?;
    let token = issuer.mint(&claims).map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "could not mint a token");
        Problem::failed("the token could not be made")
    })?;
    let answer = serde_json::json!({ "token": token });
    Ok(response(StatusCode::OK, JSON, answer.to_string()))
}
