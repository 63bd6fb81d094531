//! What goes over a connection to PostgreSQL, as far as the points need it: message frames, which
//! statement an execution is of, and which answer belongs to it (protocol 3.0, chapter 54).

use std::collections::{HashMap, VecDeque};

use super::Point;

/// A message begins with its kind; its length counts itself, and not the kind.
const HEAD_BYTES: usize = 5;

/// The length of the message that the bytes begin with, once all of it is there.
pub fn message(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(1..HEAD_BYTES)?.try_into().ok()?;
    let length = 1 + u32::from_be_bytes(length) as usize;
    (bytes.len() >= length).then_some(length)
}

/// A statement that has a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// A booking, or one that takes the place of another.
    Book,
    /// What the relay has to publish.
    Outbox,
    /// The relay's note that it was published.
    Stamp,
    /// How far a group is, in the log in PostgreSQL.
    Offset,
    /// The ledger's note that a mail was sent.
    Sent,
}

impl Text {
    fn of(sql: &str) -> Option<Self> {
        let known = [
            (Self::Book, "insert into bookings"),
            (Self::Outbox, "and topic <> all("),
            (Self::Stamp, "set published_at = now()"),
            (Self::Offset, "set committed ="),
            (Self::Sent, "update deliveries set"),
        ];
        known
            .into_iter()
            .find_map(|(text, part)| sql.contains(part).then_some(text))
    }

    /// The point before it is passed on.
    fn before(self) -> Option<Point> {
        match self {
            Self::Stamp => Some(Point::AfterPublish),
            Self::Offset => Some(Point::BeforeOffset),
            Self::Sent => Some(Point::BeforeSent),
            Self::Book | Self::Outbox => None,
        }
    }

    /// The point before its rows are passed on: it has been committed then.
    fn after(self) -> Option<Point> {
        match self {
            Self::Book => Some(Point::AfterInsert),
            Self::Outbox => Some(Point::BeforePublish),
            Self::Stamp | Self::Offset | Self::Sent => None,
        }
    }
}

/// What one connection has going on. Statements are prepared once and run by their names.
#[derive(Debug, Default)]
pub struct Session {
    prepared: HashMap<Vec<u8>, Text>,
    /// By portal.
    bound: HashMap<Vec<u8>, Text>,
    /// Of what was asked since the last Sync.
    asked: Option<Text>,
    /// One for each Sync or simple query that is not answered yet.
    unanswered: VecDeque<Option<Text>>,
    has_rows: bool,
}

impl Session {
    /// A message to the server; the point that it is at before it is passed on.
    pub fn request(&mut self, message: &[u8]) -> Option<Point> {
        let body = &message[HEAD_BYTES..];
        match message[0] {
            b'P' => {
                let (name, rest) = text(body)?;
                let (sql, _) = text(rest)?;
                let known = Text::of(&String::from_utf8_lossy(sql));
                note(&mut self.prepared, name, known);
                None
            }
            b'B' => {
                let (portal, rest) = text(body)?;
                let (name, _) = text(rest)?;
                let known = self.prepared.get(name).copied();
                note(&mut self.bound, portal, known);
                None
            }
            b'E' => {
                let (portal, _) = text(body)?;
                let known = self.bound.get(portal).copied()?;
                self.asked = Some(known);
                known.before()
            }
            b'S' => {
                self.unanswered.push_back(self.asked.take());
                None
            }
            b'Q' => {
                self.unanswered.push_back(None);
                None
            }
            _ => None,
        }
    }

    /// A message from the server; the point that is reached with it.
    pub fn answer(&mut self, message: &[u8]) -> Option<Point> {
        match message[0] {
            b'D' => {
                self.has_rows = true;
                None
            }
            // Ready for the next query: whatever was not in a transaction is committed.
            b'Z' => {
                let had_rows = std::mem::take(&mut self.has_rows);
                let answered = self.unanswered.pop_front().flatten()?;
                answered.after().filter(|_| had_rows)
            }
            _ => None,
        }
    }

    /// Whether what comes now belongs to an answer that has a point: it is kept until it is whole.
    pub fn withholds(&self) -> bool {
        let answered = self.unanswered.front().copied().flatten();
        answered.is_some_and(|answered| answered.after().is_some())
    }
}

fn note(known: &mut HashMap<Vec<u8>, Text>, name: &[u8], text: Option<Text>) {
    match text {
        Some(text) => drop(known.insert(name.to_vec(), text)),
        None => drop(known.remove(name)),
    }
}

/// A text up to its zero byte, and what follows.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(4 + body.len()).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    fn prepare(session: &mut Session, name: &str, sql: &str) {
        let body = format!("{name}\0{sql}\0\0\0");
        assert_eq!(session.request(&framed(b'P', body.as_bytes())), None);
    }

    /// Binds, executes and syncs.
    fn run(session: &mut Session, name: &str) -> Option<Point> {
        let bind = format!("\0{name}\0\0\0\0\0\0\0");
        assert_eq!(session.request(&framed(b'B', bind.as_bytes())), None);
        let point = session.request(&framed(b'E', b"\0\0\0\0\0"));
        session.request(&framed(b'S', b""));
        point
    }

    #[test]
    fn a_message_is_whole_or_not_yet() {
        let whole = framed(b'Q', b"select 1\0");
        assert_eq!(message(&whole), Some(whole.len()));
        assert_eq!(message(&whole[..whole.len() - 1]), None);
        assert_eq!(message(&whole[..3]), None);
    }

    #[test]
    fn a_booking_is_known_by_its_prepared_name() {
        let mut session = Session::default();
        prepare(&mut session, "s1", "select 1");
        prepare(
            &mut session,
            "s2",
            "with x as (insert into bookings as b …) select 1",
        );
        assert_eq!(run(&mut session, "s1"), None);
        assert_eq!(run(&mut session, "s2"), None);
        assert_eq!(session.answer(&framed(b'D', b"")), None);
        assert_eq!(
            session.answer(&framed(b'Z', b"I")),
            None,
            "that was the first"
        );
        assert!(session.withholds());
        assert_eq!(session.answer(&framed(b'D', b"")), None);
        assert_eq!(
            session.answer(&framed(b'Z', b"I")),
            Some(Point::AfterInsert)
        );
        assert!(!session.withholds());
    }

    #[test]
    fn a_booking_without_a_row_is_none() {
        let mut session = Session::default();
        prepare(&mut session, "s", "insert into bookings …");
        run(&mut session, "s");
        assert_eq!(session.answer(&framed(b'Z', b"I")), None);
    }

    #[test]
    fn what_is_noted_has_its_point_before_it_is_passed_on() {
        let mut session = Session::default();
        prepare(
            &mut session,
            "a",
            "update outbox\n set published_at = now()",
        );
        prepare(
            &mut session,
            "b",
            "update event_groups\n set committed = $5",
        );
        prepare(&mut session, "c", "\n update deliveries set\n status = $4");
        assert_eq!(run(&mut session, "a"), Some(Point::AfterPublish));
        assert_eq!(run(&mut session, "b"), Some(Point::BeforeOffset));
        assert_eq!(run(&mut session, "c"), Some(Point::BeforeSent));
    }
}
