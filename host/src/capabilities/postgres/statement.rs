//! What a statement does to the connection that it runs on.

/// What stays behind on the connection after a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it can run on any connection.
    Plain,
    /// A transaction is open.
    Begins,
    /// The transaction, if one was open, is over.
    Ends,
    /// Part of a transaction: savepoints, `rollback to`, `commit and chain`.
    Within,
    /// Settings, locks, temporary tables, or what is not known: the connection is not given to
    /// anybody else afterwards.
    Marks,
}

/// Functions in a query that leave something on the connection.
const MARKING_FUNCTIONS: [&str; 3] = ["pg_advisory_lock", "pg_try_advisory_lock", "set_config"];

impl Effect {
    pub fn of(sql: &str) -> Self {
        let mut words = Words(sql);
        let Some(first) = words.next() else {
            return Self::Plain;
        };
        match first.to_ascii_lowercase().as_str() {
            "select" | "with" | "values" | "table" if may_make_temporary_table(sql) => Self::Marks,
            "select" | "with" | "insert" | "update" | "delete" | "merge" | "values" | "table" => {
                if calls_marking_function(sql) {
                    Self::Marks
                } else {
                    Self::Plain
                }
            }
            "truncate" | "show" | "analyze" | "notify" => Self::Plain,
            "begin" | "start" => Self::Begins,
            "commit" | "end" | "rollback" | "abort" => ending(words),
            "savepoint" | "release" | "lock" => Self::Within,
            "set" => match words.next() {
                Some(word) if is(word, "local") || is(word, "transaction") => Self::Within,
                Some(word) if is(word, "constraints") => Self::Within,
                _ => Self::Marks,
            },
            // `prepare transaction` hands the transaction over, `prepare name as` keeps a plan.
            "prepare" => match words.next() {
                Some(word) if is(word, "transaction") => Self::Ends,
                _ => Self::Marks,
            },
            _ => Self::Marks,
        }
    }
}

fn ending(words: Words<'_>) -> Effect {
    let rest: Vec<_> = words.map(str::to_ascii_lowercase).collect();
    let rest: Vec<_> = rest.iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["prepared", ..] => Effect::Plain,
        ["to", ..] | ["work" | "transaction", "to", ..] => Effect::Within,
        [.., "and", "chain"] => Effect::Within,
        _ => Effect::Ends,
    }
}

fn is(word: &str, other: &str) -> bool {
    word.eq_ignore_ascii_case(other)
}

/// Whether a query may make a temporary table, as `select … into temp t` does. What only looks like
/// it, in a text or a name, counts too: that costs a connection, and nothing else.
fn may_make_temporary_table(sql: &str) -> bool {
    let bytes = sql.as_bytes().iter().enumerate();
    // Every statement comes by here: nothing is compared that does not begin well.
    let mut beginnings = bytes.filter(|(_, byte)| matches!(byte, b'i' | b'I'));
    beginnings.any(|(at, _)| {
        let is_into = sql.get(at..at + 4).is_some_and(|word| is(word, "into"));
        is_into && Words(&sql[at + 4..]).next().is_some_and(is_temporary)
    })
}

fn is_temporary(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    matches!(word.as_str(), "temp" | "temporary" | "local" | "global")
        || word.starts_with("pg_temp")
}

fn calls_marking_function(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    let begins = |byte: u8| matches!(byte, b'p' | b'P' | b's' | b'S');
    (0..bytes.len()).any(|at| {
        begins(bytes[at])
            && MARKING_FUNCTIONS.iter().any(|name| {
                let called = bytes.get(at..at + name.len());
                called.is_some_and(|called| called.eq_ignore_ascii_case(name.as_bytes()))
            })
    })
}

/// The leading words of a statement; comments, brackets and signs are passed over.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let rest = self.0;
            if let Some(comment) = rest.strip_prefix("--") {
                self.0 = comment.split_once('\n').map_or("", |(_, after)| after);
            } else if let Some(comment) = rest.strip_prefix("/*") {
                self.0 = after_comment(comment);
            } else {
                let first = rest.chars().next()?;
                if first.is_alphabetic() || first == '_' {
                    break;
                }
                self.0 = &rest[first.len_utf8()..];
            }
        }
        let end = self
            .0
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

/// What follows a block comment: in PostgreSQL they nest.
fn after_comment(mut text: &str) -> &str {
    let mut depth = 1;
    while depth > 0 {
        let Some(at) = text.find(['/', '*']) else {
            return "";
        };
        text = &text[at..];
        let step = if text.starts_with("*/") {
            depth -= 1;
            2
        } else if text.starts_with("/*") {
            depth += 1;
            2
        } else {
            1
        };
        text = &text[step..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_known_by_what_it_leaves_behind() {
        let table = [
            ("select 1", Effect::Plain),
            ("  -- begin\n SELECT 1", Effect::Plain),
            (
                "/* begin /* nested */ commit */ insert into t values (1)",
                Effect::Plain,
            ),
            ("(select 1) union (select 2)", Effect::Plain),
            ("with x as (select 1) update t set a = 1", Effect::Plain),
            ("", Effect::Plain),
            ("-- only a comment", Effect::Plain),
            ("begin", Effect::Begins),
            ("BEGIN;", Effect::Begins),
            (
                "/**/ start transaction isolation level serializable",
                Effect::Begins,
            ),
            ("commit", Effect::Ends),
            ("commit work", Effect::Ends),
            ("commit and no chain", Effect::Ends),
            ("commit and chain", Effect::Within),
            ("COMMIT /* x */ AND -- y\n CHAIN;", Effect::Within),
            ("commit prepared 'x'", Effect::Plain),
            ("end", Effect::Ends),
            ("abort", Effect::Ends),
            ("rollback", Effect::Ends),
            ("rollback to savepoint a", Effect::Within),
            ("rollback work to a", Effect::Within),
            ("rollback transaction and chain", Effect::Within),
            ("savepoint a", Effect::Within),
            ("release savepoint a", Effect::Within),
            ("prepare transaction 'x'", Effect::Ends),
            ("prepare p as select 1", Effect::Marks),
            ("set local search_path = x", Effect::Within),
            ("set search_path = x", Effect::Marks),
            ("create temp table t (a int)", Effect::Marks),
            ("select 1 into temp t", Effect::Marks),
            ("select a\nINTO TEMP t from b", Effect::Marks),
            ("select a into t from b", Effect::Plain),
            ("select a into pg_temp_3.t from b", Effect::Marks),
            ("(select 1 into temporary table t)", Effect::Marks),
            (
                "with x as (select 1) select * into temp t from x",
                Effect::Marks,
            ),
            (
                "with x as (insert into t values (1) returning a) select a from x",
                Effect::Plain,
            ),
            (
                "with x as ( MERGE\n into t using y on true) select 1",
                Effect::Plain,
            ),
            (
                "with x as (select 1) insert into t select 1 from x",
                Effect::Plain,
            ),
            (
                "with x as (select 1) select 1 as insert into temp t",
                Effect::Marks,
            ),
            (
                "with x as (select 1) select 1 as --(\ninsert into temp t",
                Effect::Marks,
            ),
            ("select '--' into temp t", Effect::Marks),
            ("select 1/**/into/**/temp t", Effect::Marks),
            ("select pinto, into_b, \"a\" from t", Effect::Plain),
            ("insert into t select 1", Effect::Plain),
            ("explain select 1", Effect::Marks),
            (
                "explain analyze create temp table t as select 1",
                Effect::Marks,
            ),
            ("listen x", Effect::Marks),
            ("do $$ begin end $$", Effect::Marks),
            ("call p()", Effect::Marks),
            ("select PG_ADVISORY_LOCK(1)", Effect::Marks),
            ("select pg_advisory_xact_lock(1)", Effect::Plain),
            ("select set_config('a.b', 'c', false)", Effect::Marks),
        ];
        for (sql, effect) in table {
            assert_eq!(Effect::of(sql), effect, "{sql}");
        }
    }
}
