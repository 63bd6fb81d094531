//! An appointment as calendars take it: RFC 5545, sent as RFC 5546 (iTIP) and RFC 6047 (iMIP) say.
//!
//! Over the life of an appointment its UID stays, and SEQUENCE grows with each change that moves or
//! ends it: by that a calendar knows an update from a copy. Times are in UTC, so no rule of a zone can
//! move them.

use chrono::{DateTime, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus, Property};
use jiff::Timestamp;
use uuid::Uuid;

const PRODUCT: &str = "-//Praxis//Appointments//EN";

/// What a calendar is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Keep it, in place of what it has under this UID.
    Request,
    /// Take it away.
    Cancel,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }

    /// Of the part of the mail: it repeats the method.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Request => "text/calendar; charset=utf-8; method=REQUEST",
            Self::Cancel => "text/calendar; charset=utf-8; method=CANCEL",
        }
    }

    fn status(self) -> EventStatus {
        match self {
            Self::Request => EventStatus::Confirmed,
            Self::Cancel => EventStatus::Cancelled,
        }
    }
}

/// Somebody with an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    pub name: &'a str,
    pub email: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation<'a> {
    pub method: Method,
    pub uid: Uuid,
    pub sequence: i32,
    pub start: Timestamp,
    pub end: Timestamp,
    /// When what it says happened: the same at every try.
    pub said: Timestamp,
    pub organizer: Person<'a>,
    pub attendee: Person<'a>,
    pub summary: &'a str,
    pub location: &'a str,
    pub description: &'a str,
}

/// A time that calendars cannot name: its year has not four digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no time for a calendar")]
pub struct BadTime(Timestamp);

impl Invitation<'_> {
    /// The whole iCalendar object, with its lines folded and ended as RFC 5545 wants it.
    pub fn text(&self) -> Result<String, BadTime> {
        let mut event = Event::new();
        event
            .uid(&self.uid.to_string())
            .sequence(u32::try_from(self.sequence).unwrap_or_default())
            .timestamp(utc(self.said)?)
            .starts(utc(self.start)?)
            .ends(utc(self.end)?)
            .summary(self.summary)
            .status(self.method.status())
            .append_property(party("ORGANIZER", self.organizer))
            .append_property(
                party("ATTENDEE", self.attendee)
                    .add_parameter("ROLE", "REQ-PARTICIPANT")
                    .add_parameter("PARTSTAT", "ACCEPTED")
                    .add_parameter("RSVP", "FALSE")
                    .done(),
            );
        if !self.location.is_empty() {
            event.location(self.location);
        }
        if !self.description.is_empty() {
            event.description(self.description);
        }
        let mut calendar = Calendar::empty();
        calendar
            .append_property(("VERSION", "2.0"))
            .append_property(("PRODID", PRODUCT))
            .append_property(("CALSCALE", "GREGORIAN"))
            .append_property(("METHOD", self.method.name()))
            .push(event.done());
        Ok(calendar.to_string())
    }
}

fn party(role: &str, person: Person<'_>) -> Property {
    // A parameter can hold no quote and no line break, whatever a name does.
    let name: String = person
        .name
        .chars()
        .filter(|letter| !letter.is_control())
        .map(|letter| if letter == '"' { '\'' } else { letter })
        .collect();
    let mut party = Property::new(role, format!("mailto:{}", person.email));
    if !name.trim().is_empty() {
        party.add_parameter("CN", name.trim());
    }
    party
}

fn utc(time: Timestamp) -> Result<DateTime<Utc>, BadTime> {
    let of_calendars = DateTime::from_timestamp(time.as_second(), 0);
    let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
    match of_calendars {
        Some(named) if (1..=9999).contains(&year) => Ok(named),
        _ => Err(BadTime(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation() -> Invitation<'static> {
        Invitation {
            method: Method::Request,
            uid: Uuid::from_u128(4),
            sequence: 2,
            start: "2026-10-25T00:00:00Z".parse().unwrap(),
            end: "2026-10-25T01:00:00Z".parse().unwrap(),
            said: "2026-10-20T07:00:00.5Z".parse().unwrap(),
            organizer: Person {
                name: "Praxis \"Rosenhof\"; Berlin",
                email: "no-reply@praxis.example",
            },
            attendee: Person {
                name: "Zoë\r\nBEGIN:VEVENT",
                email: "zoe@example.org",
            },
            summary: "Dr. Anna Weidenbach",
            location: "Rosenhof, Lindenstraße 4; Berlin",
            description: "one\ntwo",
        }
    }

    #[test]
    fn it_says_what_calendars_need_and_the_same_at_every_try() {
        let text = invitation().text().unwrap();
        for line in [
            "BEGIN:VCALENDAR",
            "METHOD:REQUEST",
            "UID:00000000-0000-0000-0000-000000000004",
            "SEQUENCE:2",
            "DTSTAMP:20261020T070000Z",
            "DTSTART:20261025T000000Z",
            "DTEND:20261025T010000Z",
            "STATUS:CONFIRMED",
            "LOCATION:Rosenhof\\, Lindenstraße 4\\; Berlin",
            "DESCRIPTION:one\\ntwo",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
        }
        assert_eq!(text, invitation().text().unwrap());
    }

    #[test]
    fn a_name_breaks_out_of_no_line() {
        let text = invitation().text().unwrap().replace("\r\n ", "");
        assert!(
            text.contains("CN=\"Praxis 'Rosenhof'; Berlin\":mailto:no-reply@praxis.example"),
            "{text}"
        );
        assert_eq!(text.matches("\r\nBEGIN:VEVENT").count(), 1, "{text}");
    }

    #[test]
    fn a_cancellation_takes_it_away() {
        let gone = Invitation {
            method: Method::Cancel,
            ..invitation()
        };
        let text = gone.text().unwrap();
        assert!(
            text.contains("METHOD:CANCEL\r\n") && text.contains("STATUS:CANCELLED\r\n"),
            "{text}"
        );
    }

    #[test]
    fn lines_are_folded_at_75_bytes() {
        let long = "ä".repeat(200);
        let text = Invitation {
            summary: &long,
            ..invitation()
        }
        .text()
        .unwrap();
        assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    }

    #[test]
    fn a_time_without_four_digits_is_refused() {
        let early = Invitation {
            start: "-000001-01-01T00:00:00Z".parse().unwrap(),
            ..invitation()
        };
        assert!(early.text().is_err());
    }
}
