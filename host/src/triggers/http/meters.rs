//! What is counted of requests. A series is looked up by name once, not with every request.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// Methods that have series of their own. A client may invent methods, but not series.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// The meters of all routes, by place.
pub struct Meters(Vec<Route>);

struct Route {
    name: String,
    series: RwLock<Vec<Series>>,
}

struct Series {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

impl Meters {
    pub fn new(routes: impl Iterator<Item = String>) -> Self {
        let route = |name| Route {
            name,
            series: RwLock::default(),
        };
        Self(routes.map(route).collect())
    }

    pub fn count(&self, place: usize, method: &Method, status: StatusCode, taken: Duration) {
        let route = &self.0[place];
        let method = label(method);
        let is_it = |series: &&Series| series.status == status && series.method == method;
        let series = route.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = series.iter().find(is_it) {
            return series.count(taken);
        }
        drop(series);
        let mut all = route.series.write().unwrap_or_else(PoisonError::into_inner);
        // Should another have been faster, its series has the same name and is the same.
        let series = Series::new(&route.name, method, status);
        series.count(taken);
        all.push(series);
    }
}

impl Series {
    fn new(route: &str, method: &'static str, status: StatusCode) -> Self {
        let labels = [
            ("route", route.to_owned()),
            ("method", method.to_owned()),
            ("status", status.as_u16().to_string()),
        ];
        Self {
            method,
            status,
            requests: metrics::counter!("http_requests_total", &labels),
            seconds: metrics::histogram!("http_request_seconds", &labels),
        }
    }

    fn count(&self, taken: Duration) {
        self.requests.increment(1);
        self.seconds.record(taken);
    }
}

fn label(method: &Method) -> &'static str {
    let known = METHODS.iter().find(|known| *known == method);
    known.map_or("other", |known| known.as_str())
}
