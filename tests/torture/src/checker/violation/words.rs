//! Violations in words.

use std::fmt::{self, Display, Formatter};

use super::Violation;
use crate::history::Slot;

impl Display for Slot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let start = jiff::Timestamp::from_second(self.start).map_err(|_| fmt::Error)?;
        write!(f, "{start} of {}", self.practitioner)
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::DoubleBooked {
                slot,
                bookings: (first, second),
                version,
            } => write!(
                f,
                "{slot} was {first}'s when {second} took it, at version {version}"
            ),
            Self::TwoRows {
                slot,
                bookings: (first, second),
            } => write!(f, "{slot} is {first}'s and {second}'s"),
            Self::TwoAtOnce {
                slot,
                bookings: (first, second),
                at_us,
            } => write!(
                f,
                "{slot} was {first}'s for one client and {second}'s for another, {at_us} µs after the start"
            ),
            Self::Lost { deed, booking, why } => {
                write!(f, "{deed} of {booking} was acknowledged: {why}")
            }
            Self::RefusedButThere { deed, booking } => {
                write!(f, "a {deed} was refused, and {booking} is there")
            }
            Self::Unasked {
                booking,
                subject,
                slot,
            } => write!(f, "{booking} of {subject} for {slot}"),
            Self::Unexplained {
                booking,
                change,
                version,
            } => write!(
                f,
                "{booking} was {change} with version {version}, and nobody asked for that"
            ),
            Self::AnsweredTwice { key, booking } => {
                write!(
                    f,
                    "the key {key} was answered with {booking} and with another answer"
                )
            }
            Self::NoReceipt { key, booking } => {
                write!(
                    f,
                    "the key {key} was answered with {booking}, and no receipt says so"
                )
            }
            Self::ChangedTwice {
                booking,
                version,
                deeds: (first, second),
            } => write!(
                f,
                "{first} and {second} of {booking} at version {version} were both acknowledged"
            ),
            Self::Gap {
                practitioner,
                stream,
                version,
            } => write!(f, "{stream} of {practitioner} has no version {version}"),
            Self::OddVersion {
                practitioner,
                stream,
                version,
                times,
            } => write!(
                f,
                "{stream} of {practitioner} has version {version}, {times} times"
            ),
            Self::EventsOfOneCommit {
                booking,
                version,
                times,
            } => write!(f, "version {version} of {booking} has {times}"),
            Self::OutsideHours {
                booking,
                slot,
                version,
                profile_since,
            } => write!(
                f,
                "{booking} for {slot} at version {version}; since version {profile_since} it is not offered"
            ),
            Self::EventsSayOtherwise {
                booking,
                slot,
                is_live,
            } => {
                let not = if *is_live { "" } else { "not " };
                write!(f, "{booking} for {slot} is {not}live")
            }
            Self::Unpublished { event, kind } => write!(f, "{kind} {event} is in no topic"),
            Self::Stranger { event, topic } => write!(f, "{event} in {topic}"),
            Self::OutOfOrder {
                practitioner,
                topic,
                version,
                after,
            } => write!(
                f,
                "{topic} of {practitioner} has version {version} after {after}"
            ),
            Self::Bitmap {
                practitioner,
                source,
                wrongly_free,
                wrongly_booked,
            } => write!(
                f,
                "of {practitioner}, from the {source}: wrongly free {wrongly_free:?}, wrongly booked {wrongly_booked:?}"
            ),
            Self::Document {
                practitioner,
                next,
                found,
            } => write!(
                f,
                "of {practitioner} has {found:?} as the next slot, it is {next:?}"
            ),
            Self::Untold {
                event,
                kind,
                audience,
                status,
            } => write!(f, "the {audience} of {kind} {event}: {status}"),
            Self::NeverSent { event, audience } => write!(f, "to the {audience} of {event}"),
            Self::ToldTwice {
                event,
                audience,
                copies,
                attempts,
            } => write!(
                f,
                "the {audience} of {event}: {copies} mails, {attempts} claims"
            ),
            Self::StrangeMail { message } => f.write_str(message),
            Self::Unrecorded {
                booking,
                version,
                times,
            } => write!(
                f,
                "version {version} of {booking} is in the history {times} times"
            ),
            Self::Astray { booking, why } => write!(f, "{booking}: {why}"),
            Self::UnaskedEntry { entry, subject } => write!(f, "{entry} of {subject}"),
            Self::LostEntry { entry, why } => write!(f, "{entry}: {why}"),
            Self::OddOffer {
                entry,
                booking,
                why,
            } => write!(f, "{booking} to {entry}: {why}"),
            Self::OfferedTwice {
                entry,
                bookings: (first, second),
            } => write!(f, "{entry} had {first} when it got {second}"),
            Self::TwoOffers {
                slot,
                bookings: (first, second),
            } => write!(f, "{slot} was offered as {first} and as {second}"),
            Self::OfferedAgain { entry, slot } => {
                write!(f, "{slot} to {entry}, whose patient had let it go")
            }
            Self::Unfair {
                slot,
                entry,
                passed_over,
            } => write!(
                f,
                "{slot} was offered to {entry}, and {passed_over} waited for longer"
            ),
            Self::Withheld { slot, entry } => {
                write!(f, "{slot} is free, came free, and {entry} waits for it")
            }
            Self::Overheard {
                event,
                kind,
                audience,
            } => write!(f, "the {audience} was told of {kind} {event}"),
            Self::LivesOn { subject, booking } => {
                write!(f, "{booking} of {subject}, who is erased")
            }
            Self::StillWaits { subject, entry } => {
                write!(f, "{entry} of {subject}, who is erased")
            }
            Self::Remains { subject, places } => {
                let places: Vec<_> = places.iter().map(String::as_str).collect();
                write!(f, "of {subject}, who is erased: {}", places.join(", "))
            }
            Self::GivenUp { events } => write!(f, "{events} events are dead letters"),
            Self::Overdue { what } => f.write_str(what),
        }
    }
}
