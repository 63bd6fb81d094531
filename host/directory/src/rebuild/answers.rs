//! What `/v1/ops/rebuilds/…` answers, and what is asked of it.

use serde::Deserialize;

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct State {
    pub current: u64,
    pub beside: Option<Beside>,
}

impl State {
    pub fn has(&self, generation: u64) -> bool {
        let beside = self.beside.map(|beside| beside.generation);
        self.current == generation || beside == Some(generation)
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Beside {
    pub generation: u64,
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Building,
    Previous,
}

#[derive(Debug, Deserialize)]
pub struct Generation {
    pub generation: u64,
}

#[derive(Debug, Deserialize)]
pub struct Pages {
    pub total: u64,
    pub ends: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Done {
    pub done: u64,
    pub next_cursor: Option<String>,
}

/// A page: behind whom, and up to whom.
pub type Range = (Option<String>, Option<String>);

/// All ids, page by page.
pub fn ranges(ends: Vec<String>) -> Vec<Range> {
    let after = std::iter::once(None).chain(ends.iter().cloned().map(Some));
    let until = ends.iter().cloned().map(Some).chain([None]);
    after.zip(until).collect()
}

pub fn numbered(generation: u64) -> [(&'static str, String); 1] {
    [("generation", generation.to_string())]
}

pub fn page(
    generation: u64,
    after: Option<&str>,
    until: Option<&str>,
) -> Vec<(&'static str, String)> {
    let mut query = numbered(generation).to_vec();
    query.extend(after.map(|after| ("after", after.to_owned())));
    query.extend(until.map(|until| ("until", until.to_owned())));
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_leave_nobody_out() {
        let id = |text: &str| Some(text.to_owned());
        assert_eq!(ranges(Vec::new()), [(None, None)]);
        assert_eq!(
            ranges(vec!["b".into(), "d".into()]),
            [(None, id("b")), (id("b"), id("d")), (id("d"), None)]
        );
    }
}
