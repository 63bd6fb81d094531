//! Spin's routes: `/exact`, `/:name`, `/rest/...`. The most specific wins, segment by segment:
//! exact before `:name` before `...`. https://spinframework.dev/http-trigger

use std::net::SocketAddr;

use anyhow::anyhow;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use routefinder::Router;

const HEADER_PATH_INFO: &str = "spin-path-info";
const HEADER_FULL_URL: &str = "spin-full-url";
const HEADER_MATCHED_ROUTE: &str = "spin-matched-route";
const HEADER_BASE_PATH: &str = "spin-base-path";
const HEADER_RAW_COMPONENT_ROUTE: &str = "spin-raw-component-route";
const HEADER_COMPONENT_ROUTE: &str = "spin-component-route";
const HEADER_CLIENT_ADDR: &str = "spin-client-addr";
const HEADER_PATH_MATCH_PREFIX: &str = "spin-path-match-";

/// Targets by route; the last one of two equal routes wins.
pub struct Routes<T> {
    /// Each pattern's place in `entries`.
    router: Router<usize>,
    entries: Vec<Entry<T>>,
}

struct Entry<T> {
    route: String,
    target: T,
}

/// A target and how its route matched.
pub struct Found<'a, T> {
    pub target: &'a T,
    /// As written in the manifest.
    pub route: &'a str,
    /// What `/...` stood for, with its leading slash; empty where the route has none.
    pub rest: String,
    /// What each `:name` stood for.
    pub names: Vec<(String, String)>,
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
    pub fn add(&mut self, route: &str, target: T) -> anyhow::Result<()> {
        let earlier = self.entries.iter_mut().find(|entry| entry.route == route);
        if let Some(entry) = earlier {
            entry.target = target;
            return Ok(());
        }
        let pattern = match route.strip_suffix("/...") {
            Some(base) => format!("{base}/*"),
            None => route.to_owned(),
        };
        self.router
            .add(pattern.as_str(), self.entries.len())
            .map_err(|fault| anyhow!("the route {route:?} is not one: {fault}"))?;
        self.entries.push(Entry {
            route: route.to_owned(),
            target,
        });
        Ok(())
    }

    /// The best match; one trailing slash does not matter.
    pub fn find(&self, path: &str) -> Option<Found<'_, T>> {
        let path = match path.strip_suffix('/') {
            Some(shorter) if !shorter.is_empty() => shorter,
            _ => path,
        };
        let found = self.router.best_match(path)?;
        let captures = found.captures();
        let entry = &self.entries[*found.handler()];
        let rest = if entry.route.ends_with("/...") {
            format!(
                "/{}",
                captures.wildcard().unwrap_or("").trim_start_matches('/')
            )
        } else {
            String::new()
        };
        let names = captures
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Some(Found {
            target: &entry.target,
            route: &entry.route,
            rest,
            names,
        })
    }
}

impl<T> Found<'_, T> {
    /// What a `:name` stood for.
    pub fn name(&self, name: &str) -> Option<&str> {
        let mut names = self.names.iter();
        names
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Tells the component how it was found, as Spin does. What a client sent under these names
    /// is dropped.
    pub fn add_headers(&self, headers: &mut HeaderMap, uri: &http::Uri, client: SocketAddr) {
        let foreign: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("spin-"))
            .cloned()
            .collect();
        for name in foreign {
            headers.remove(name);
        }
        let host = headers
            .get(HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or("localhost");
        let full_url = format!("http://{host}{uri}");
        let component_route = self.route.strip_suffix("/...").unwrap_or(self.route);
        let mut set = |name: &str, value: &str| {
            let name = HeaderName::try_from(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        };
        set(HEADER_PATH_INFO, &self.rest);
        set(HEADER_FULL_URL, &full_url);
        set(HEADER_MATCHED_ROUTE, self.route);
        set(HEADER_BASE_PATH, "/");
        set(HEADER_RAW_COMPONENT_ROUTE, self.route);
        set(HEADER_COMPONENT_ROUTE, component_route);
        set(HEADER_CLIENT_ADDR, &client.to_string());
        for (name, value) in &self.names {
            set(&format!("{HEADER_PATH_MATCH_PREFIX}{name}"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Vec<(String, String)>;

    fn found(routes: &[&str], path: &str) -> Option<(String, String, Names)> {
        let mut table = Routes::default();
        for route in routes {
            table.add(route, ()).unwrap();
        }
        let found = table.find(path)?;
        Some((found.route.to_owned(), found.rest, found.names))
    }

    fn names(pairs: &[(&str, &str)]) -> Names {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = ["/...", "/a/:x", "/a/b", "/a/:x/c", "/a/..."];
        let route = |path| found(&routes, path).map(|(route, ..)| route);
        for (path, expected) in [
            ("/", "/..."),
            ("/zzz", "/..."),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a/q", "/a/:x"),
            ("/a/q/c", "/a/:x/c"),
            ("/a/q/d", "/a/..."),
        ] {
            assert_eq!(route(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_wildcard_takes_its_own_base_too() {
        let (_, rest, _) = found(&["/v1/things/..."], "/v1/things").unwrap();
        assert_eq!(rest, "/");
        let (_, rest, _) = found(&["/v1/things/..."], "/v1/things/7/open").unwrap();
        assert_eq!(rest, "/7/open");
    }

    #[test]
    fn names_are_captured() {
        let (_, _, captured) = found(&["/a/:x/b/:y"], "/a/1/b/2").unwrap();
        assert_eq!(captured, names(&[("x", "1"), ("y", "2")]));
    }

    #[test]
    fn a_colon_inside_a_segment_is_no_name() {
        assert!(found(&["/v1/things:import"], "/v1/things:import").is_some());
        assert!(found(&["/v1/things:import"], "/v1/thingsX").is_none());
    }

    #[test]
    fn an_exact_route_takes_nothing_below_it() {
        assert!(found(&["/a"], "/a/b").is_none());
        assert!(found(&["/a/b"], "/a").is_none());
    }

    #[test]
    fn the_last_of_two_equal_routes_wins() {
        let mut table = Routes::default();
        table.add("/a", 1).unwrap();
        table.add("/a", 2).unwrap();
        assert_eq!(*table.find("/a").unwrap().target, 2);
    }
}
