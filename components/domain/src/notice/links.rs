//! The links that act, in what a patient is told.

use jiff::{SignedDuration, Timestamp};

use super::{Audience, Occasion, Recipient, Story};
use crate::link::{Deed, Link};
use crate::patient::Channel;

/// After the appointment: whoever finds the reminder in their mailbox a year later can still end them.
const OPT_OUT_HOLDS: SignedDuration = SignedDuration::from_hours(365 * 24);

/// A page of ours that cancels the appointment, for the patient of one that is to come.
pub fn cancel_url(story: &Story<'_>, recipient: &Recipient) -> Option<String> {
    let booking = story.booking;
    let is_to_come = match story.occasion {
        Occasion::Created | Occasion::Rescheduled | Occasion::Reminder => true,
        Occasion::Cancelled | Occasion::Offered => false,
    };
    let deed = Deed::Cancel {
        booking_id: booking.booking_id,
        version: booking.booking_version,
    };
    (is_to_come && recipient.audience == Audience::Patient)
        .then(|| page(story, deed, booking.slot_start))
}

/// A page of ours that ends reminders on a channel, in reminders.
pub fn opt_out_url(story: &Story<'_>, recipient: &Recipient, channel: Channel) -> Option<String> {
    opt_out(story, recipient, channel).map(|(deed, until)| page(story, deed, until))
}

/// What a mail program posts to for the same (RFC 8058). None where the address is none that a mail may
/// have.
pub fn unsubscribe_url(
    story: &Story<'_>,
    recipient: &Recipient,
    channel: Channel,
) -> Option<String> {
    let (deed, expires) = opt_out(story, recipient, channel)?;
    let is_safe = ["https://", "http://127.0.0.1:", "http://localhost:"]
        .iter()
        .any(|start| story.public_url.starts_with(start));
    let token = story.secrets.sign(&Link { deed, expires });
    is_safe.then(|| format!("{}/v1/links/opt-out/{token}", base(story)))
}

fn opt_out(
    story: &Story<'_>,
    recipient: &Recipient,
    channel: Channel,
) -> Option<(Deed, Timestamp)> {
    let is_reminded =
        story.occasion == Occasion::Reminder && recipient.audience == Audience::Patient;
    let deed = Deed::OptOut {
        patient_id: recipient.id,
        channel,
    };
    let until = story.booking.slot_start.saturating_add(OPT_OUT_HOLDS);
    let until = until.expect("hours are no calendar units");
    is_reminded.then_some((deed, until))
}

/// The token is behind the `#`: it is in no log of the way to the page.
fn page(story: &Story<'_>, deed: Deed, expires: Timestamp) -> String {
    let kind = match deed {
        Deed::Cancel { .. } => "cancel",
        Deed::OptOut { .. } => "opt-out",
    };
    let token = story.secrets.sign(&Link { deed, expires });
    format!("{}/#/{kind}/{token}", base(story))
}

fn base<'a>(story: &Story<'a>) -> &'a str {
    story.public_url.trim_end_matches('/')
}
