//! What a refusal of PostgreSQL means for whoever asked, by its SQLSTATE:
//! https://www.postgresql.org/docs/current/errcodes-appendix.html

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is wrong with the statement: try later.
    Unavailable,
    /// Another change came in between: try again.
    Contention,
    /// A constraint: the caller knows what its name means.
    Constraint,
    /// The same at every try: the statement, its parameters or the schema.
    Broken,
}

impl Refusal {
    /// What is not known to be a mistake counts as unavailable: a try too many costs time, an event
    /// given up too early costs the event.
    pub fn of(sqlstate: &str) -> Self {
        match (sqlstate.get(..2).unwrap_or_default(), sqlstate) {
            // Deadlock, serialisation failure; lock not available.
            ("40", _) | (_, "55P03") => Self::Contention,
            ("23", _) => Self::Constraint,
            // A subquery with too many rows; data that does not fit; syntax, names and rights; a
            // view's check option; a statement beyond the limits; what a function of ours raised.
            ("21" | "22" | "42" | "44" | "54" | "P0", _) => Self::Broken,
            // Among these: connection lost (08), resources exhausted (53), object in use (55), shut
            // down, cancelled or out of time (57), an input or output error (58), a standby that is
            // still read-only after a failover (25006), credentials that are being changed (28),
            // a plan older than the last migration (0A000, 26000), a fault of the server's (XX).
            _ => Self::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fails_at_every_try_is_given_up() {
        let cases = [
            (Refusal::Contention, "40001 40003 40P01 55P03"),
            (Refusal::Constraint, "23502 23505 23514 23P01"),
            (Refusal::Broken, "21000 22001 22P02 42501 42601 42P01 42703"),
            (Refusal::Broken, "44000 54001 P0001"),
            (Refusal::Unavailable, "08000 08006 53100 53200 53300 53400"),
            (Refusal::Unavailable, "55000 55006 57014 57P01 57P03 57P05"),
            (Refusal::Unavailable, "58000 58030 25006 25P02 25P03 25P04"),
            (Refusal::Unavailable, "0A000 26000 28P01 3D000 XX000 XX001"),
        ];
        for (refusal, sqlstates) in cases {
            for sqlstate in sqlstates.split(' ') {
                assert_eq!(Refusal::of(sqlstate), refusal, "{sqlstate}");
            }
        }
    }

    #[test]
    fn what_is_no_sqlstate_is_tried_again() {
        assert_eq!(Refusal::of(""), Refusal::Unavailable);
        assert_eq!(Refusal::of("é"), Refusal::Unavailable);
    }
}
