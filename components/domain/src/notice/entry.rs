//! The entry for the recipient's calendar that goes with a mail.

use jiff::Timestamp;

use super::{Audience, BadTime, Occasion, Recipient, Story, one_line};
use crate::invitation::{Invitation, Method, Person};
use crate::slot::Slot;
use crate::zone::Zone;

/// A calendar's entry, as iCalendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub method: Method,
    pub content: String,
}

/// What goes with the mail about a booking to somebody; nothing with an offer, which is no appointment
/// yet. `said` is when it happened: the same at every try.
pub fn entry(
    story: &Story<'_>,
    recipient: &Recipient,
    said: Timestamp,
) -> Result<Option<Entry>, BadTime> {
    let method = match story.occasion {
        Occasion::Created | Occasion::Rescheduled | Occasion::Reminder => Method::Request,
        Occasion::Cancelled => Method::Cancel,
        Occasion::Offered => return Ok(None),
    };
    let Some(email) = &recipient.email else {
        return Ok(None);
    };
    let booking = story.booking;
    let zone = Zone::parse(&booking.time_zone)?;
    let slot = Slot::parse(booking.slot_start, &zone)?;
    let place = story.place;
    let where_it_is: Vec<&str> = match recipient.audience {
        Audience::Patient => [&place.practice, address(story)].to_vec(),
        Audience::Practitioner => vec![address(story)],
    }
    .into_iter()
    .map(|part| &part[..])
    .filter(|part| !part.is_empty())
    .collect();
    let summary = match recipient.audience {
        Audience::Patient => one_line(&place.practitioner),
        Audience::Practitioner => one_line(story.patient_name.unwrap_or(&story.brand.name)),
    };
    let invitation = Invitation {
        method,
        uid: booking.calendar_uid,
        sequence: booking.calendar_sequence,
        start: slot.start(),
        end: slot.end(),
        said,
        organizer: Person {
            name: &story.brand.name,
            email: &organizer(story),
        },
        attendee: Person {
            name: recipient.name.as_deref().unwrap_or_default(),
            email,
        },
        summary: &summary,
        location: &where_it_is.join(", "),
        description: "",
    };
    let content = invitation.text()?;
    Ok(Some(Entry { method, content }))
}

fn address<'a>(story: &Story<'a>) -> &'a String {
    match story.place.address.is_empty() {
        true => &story.place.city,
        false => &story.place.address,
    }
}

/// Where an answer goes; nobody reads what a calendar sends to the second.
fn organizer(story: &Story<'_>) -> String {
    story.brand.reply_to.clone().unwrap_or_else(|| {
        let url = story.public_url;
        let host = url.split_once("://").map_or(url, |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or_default();
        format!("no-reply@{host}")
    })
}
