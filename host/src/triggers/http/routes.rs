//! Spin's routes: `/exact`, `/:name`, `/rest/...`. The most specific wins, segment by segment:
//! exact before `:name` before `...`. https://spinframework.dev/http-trigger

use anyhow::{anyhow, ensure};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use routefinder::{RouteSpec, Router, Segment};

use super::client::Client;

const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");
const FOREIGN_PREFIX: &str = "spin-";
const PATH_MATCH_PREFIX: &str = "spin-path-match-";
/// Headers that every component gets, without those of names.
const HEADERS: usize = 7;

/// Targets by route; the last one of two routes that are written alike wins.
pub struct Routes<T> {
    /// Each pattern's place in `entries`.
    router: Router<usize>,
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    route: Route,
    target: T,
}

/// A route, and what its component is told of it.
pub struct Route {
    /// As written in the manifest.
    raw: String,
    matched: HeaderValue,
    written: HeaderValue,
    /// Without its `/...`.
    fixed: HeaderValue,
    /// The header of each `:name`.
    names: Vec<(String, HeaderName)>,
}

/// A target and how its route matched.
pub struct Found<'a, T> {
    pub target: &'a T,
    pub route: &'a Route,
    /// The target's place among all: those added first have the first.
    pub place: usize,
    /// What `/...` stood for, with its leading slash; empty where nothing is left for it.
    pub rest: String,
    /// What each `:name` stood for.
    pub names: Vec<(&'a str, String)>,
}

impl<T> Default for Routes<T> {
    fn default() -> Self {
        Self {
            router: Router::new(),
            entries: Vec::new(),
        }
    }
}

impl<T> Routes<T> {
    /// # Errors
    /// If the route is not one, or has a wildcard that is not at its end.
    pub fn add(&mut self, route: &str, target: T) -> anyhow::Result<()> {
        let mut entries = self.entries.iter_mut();
        if let Some(earlier) = entries.find(|entry| entry.route.raw == route) {
            earlier.target = target;
            return Ok(());
        }
        let not_one = |fault| anyhow!("the route {route:?} is not one: {fault}");
        let path = absolute(route);
        let pattern = match path.strip_suffix("/...") {
            Some(base) => format!("{base}/*"),
            None => path.clone(),
        };
        let pattern: RouteSpec = pattern.parse().map_err(not_one)?;
        ensure!(
            can_be_matched(pattern.segments()) && route.is_ascii(),
            "the route {route:?} is not one: a wildcard stands at its end, a name takes a whole \
             segment, and what is not ASCII is percent-encoded"
        );
        let route = Route::new(route, &path, pattern.segments())?;
        self.router
            .add(pattern, self.entries.len())
            .map_err(|never| match never {})?;
        self.entries.push(Entry { route, target });
        Ok(())
    }

    /// The best match. Slashes at the end do not matter, nor does it how many stand together.
    pub fn find(&self, path: &str) -> Option<Found<'_, T>> {
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let place = *found.handler();
        let Entry { route, target } = &self.entries[place];
        let slash = if path.ends_with('/') { "/" } else { "" };
        let rest = match captures.wildcard() {
            None => String::new(),
            Some("") => slash.to_owned(),
            Some(rest) => format!("/{rest}{slash}"),
        };
        let names = route.names.iter().zip(captures.iter());
        let names = names.map(|((name, _), (_, value))| (name.as_str(), value.to_owned()));
        Some(Found {
            target,
            route,
            place,
            rest,
            names: names.collect(),
        })
    }

    /// Every route as it is written, in the order of their places.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.route.raw.as_str())
    }
}

/// Whether the router can match it: it panics at a path where it can't.
fn can_be_matched(segments: &[Segment]) -> bool {
    segments.windows(2).all(|pair| match pair {
        [Segment::Wildcard, _] => false,
        [Segment::Param(_), next] => matches!(next, Segment::Slash | Segment::Dot),
        _ => true,
    })
}

/// With a slash at the beginning, and without one at the end.
fn absolute(route: &str) -> String {
    let slash = if route.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{route}");
    path.strip_suffix('/').map_or(path.clone(), str::to_owned)
}

impl Route {
    fn new(raw: &str, path: &str, segments: &[Segment]) -> anyhow::Result<Self> {
        let value = |text: &str| {
            HeaderValue::from_str(text).map_err(|_| anyhow!("the route {raw:?} is not one"))
        };
        let mut names = Vec::new();
        for segment in segments {
            let Segment::Param(name) = segment else {
                continue;
            };
            let header = name.to_ascii_lowercase().replace('_', "-");
            let header = HeaderName::try_from(format!("{PATH_MATCH_PREFIX}{header}"));
            let header = header.map_err(|_| {
                anyhow!("the route {raw:?} is not one: {name:?} cannot be part of a header's name")
            })?;
            names.push((name.to_string(), header));
        }
        Ok(Self {
            raw: raw.to_owned(),
            matched: value(path)?,
            written: value(raw)?,
            fixed: value(raw.strip_suffix("/...").unwrap_or(raw))?,
            names,
        })
    }
}

impl<T> Found<'_, T> {
    /// What a `:name` stood for.
    pub fn name(&self, name: &str) -> Option<&str> {
        let mut names = self.names.iter();
        names
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Tells the component how it was found, as Spin does. What a client sent under such names is
    /// dropped.
    pub fn add_headers(&self, headers: &mut HeaderMap, uri: &http::Uri, client: &Client) {
        let foreign = |name: &&HeaderName| name.as_str().starts_with(FOREIGN_PREFIX);
        let foreign: Vec<HeaderName> = headers.keys().filter(foreign).cloned().collect();
        for name in foreign {
            headers.remove(name);
        }
        headers.reserve(HEADERS + self.names.len());
        let Route {
            matched,
            written,
            fixed,
            names,
            ..
        } = self.route;
        headers.insert(MATCHED_ROUTE, matched.clone());
        headers.insert(BASE_PATH, HeaderValue::from_static("/"));
        headers.insert(RAW_COMPONENT_ROUTE, written.clone());
        headers.insert(COMPONENT_ROUTE, fixed.clone());
        headers.insert(CLIENT_ADDR, client.address.clone());
        // What comes out of a target is printable.
        if let Ok(url) = HeaderValue::try_from(uri.to_string()) {
            headers.insert(FULL_URL, url);
        }
        if let Ok(rest) = HeaderValue::from_str(&self.rest) {
            headers.insert(PATH_INFO, rest);
        }
        for ((_, header), (_, value)) in names.iter().zip(&self.names) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(header.clone(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
