//! Who sends a request, and to whom it is addressed.

use std::net::SocketAddr;

use http::header::{HOST, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};

use super::Problem;

/// The two ends of a connection.
pub struct Client {
    pub address: HeaderValue,
    local: SocketAddr,
}

impl Client {
    pub fn new(address: SocketAddr, local: SocketAddr) -> Self {
        let address = HeaderValue::try_from(address.to_string());
        Self {
            address: address.expect("an address is a valid header value"),
            local,
        }
    }

    /// The absolute address of what is asked for. Its authority is the `Host` or that of an
    /// absolute target; where both are there they agree (RFC 9112, 3.2). Only HTTP/1.0 goes
    /// without.
    pub fn absolute<B>(&self, request: &Request<B>) -> Result<Uri, Problem> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(Problem::bad_request("there is more than one Host"));
        }
        let host = host.map(authority).transpose()?;
        let authority = match (host, request.uri().authority()) {
            (Some(host), Some(target)) if host != *target => {
                return Err(Problem::bad_request("the Host is not that of the target"));
            }
            (Some(host), _) => host,
            (None, Some(target)) => target.clone(),
            (None, None) if request.version() < Version::HTTP_11 => {
                let local = Authority::try_from(self.local.to_string());
                local.expect("an address is a valid authority")
            }
            (None, None) => return Err(Problem::bad_request("there is no Host")),
        };
        let path = request.uri().path_and_query().cloned();
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(authority)
            .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        let uri = uri.build();
        uri.map_err(|_| Problem::bad_request("the target is not a path"))
    }
}

fn authority(host: &HeaderValue) -> Result<Authority, Problem> {
    let authority = Authority::try_from(host.as_bytes()).ok();
    authority
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or_else(|| Problem::bad_request("the Host is not a host and a port"))
}
