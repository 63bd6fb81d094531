//! Where a component answers.

/// A trigger's `route`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/exact`, `/:name`, `/rest/...`, as the manifest has it: [`check`] has passed it.
    Public(String),
    /// `{ private = true }`: no path leads there, only other components do.
    Private,
}

impl Default for Route {
    fn default() -> Self {
        Self::Public("/".into())
    }
}

/// Why a pattern is not a route, and what would be. What is let through here never makes the
/// router panic and can match some path.
pub fn check(route: &str) -> Result<(), String> {
    if let Some(odd) = route
        .chars()
        .find(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#'))
    {
        return Err(format!("no path holds {odd:?}; write it percent-encoded"));
    }
    let segments: Vec<&str> = route.trim_matches('/').split('/').collect();
    let last = segments.len() - 1;
    for (place, segment) in segments.iter().enumerate() {
        if matches!(*segment, "..." | "*") {
            if place < last {
                return Err(format!("{segment:?} takes all the rest; put it at the end"));
            }
        } else if segment.ends_with("...") {
            let base = segment.trim_end_matches("...");
            return Err(format!(
                "\"...\" is a segment of its own; did you mean \"{base}/...\"?"
            ));
        } else if segment.split('.').any(|part| part.starts_with('*')) {
            return Err(format!("{segment:?} cannot hold \"*\"; use \"/...\""));
        } else if segment.split('.').any(|part| part == ":") {
            return Err("\":\" has no name; did you mean \":name\"?".to_owned());
        } else if let Some(name) = names(segment).find(|name| !is_name(name)) {
            return Err(format!(
                "{name:?} is no name of a segment; write letters, digits, \"-\" and \"_\""
            ));
        }
    }
    let pattern = pattern(route);
    match routefinder::RouteSpec::try_from(pattern.as_str()) {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn names(segment: &str) -> impl Iterator<Item = &str> {
    let parts = segment.split('.');
    parts.filter_map(|part| part.strip_prefix(':'))
}

/// Each name becomes part of a header's: `spin-path-match-name`.
fn is_name(name: &str) -> bool {
    http::HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// The route as the router has it.
pub fn pattern(route: &str) -> String {
    match route.strip_suffix("/...") {
        Some(base) => format!("{base}/*"),
        None => route.to_owned(),
    }
}

/// Two routes with the same shape match the same paths: names do not matter, nor does a slash at
/// an end.
pub fn shape(route: &str) -> String {
    let pattern = pattern(route);
    let segments = pattern.trim_matches('/').split('/');
    let segments: Vec<&str> = segments
        .map(|segment| match segment.strip_prefix(':') {
            Some(name) if !name.contains('.') => ":",
            _ => segment,
        })
        .collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_spin_are_routes() {
        for route in [
            "/",
            "/a",
            "/a/",
            "/a/b.json",
            "/:a",
            "/a/:b/c",
            "/a/...",
            "/...",
            "/a/*",
            "/a:b",
            "/files/:name.json",
            "a",
            "",
        ] {
            assert_eq!(check(route), Ok(()), "{route}");
        }
    }

    #[test]
    fn what_can_match_nothing_is_no_route() {
        for (route, says) in [
            ("/a/.../b", "at the end"),
            ("/a/*/b", "at the end"),
            ("/a...", "did you mean \"a/...\"?"),
            ("/a/*b", "use \"/...\""),
            ("/a/:", "did you mean \":name\"?"),
            ("/::", "is no name"),
            ("/é", "percent-encoded"),
            ("/a b", "percent-encoded"),
            ("/a?b=c", "percent-encoded"),
        ] {
            let why = check(route).unwrap_err();
            assert!(why.contains(says), "{route}: {why}");
        }
    }

    #[test]
    fn names_do_not_tell_two_routes_apart() {
        assert_eq!(shape("/a/:x"), shape("/a/:y/"));
        assert_eq!(shape("/a/..."), shape("/a/*"));
        assert_ne!(shape("/a"), shape("/a/..."));
    }
}
