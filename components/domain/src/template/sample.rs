//! People who do not exist, for trying a template on.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::event;
use crate::link::Secrets;
use crate::notice::{self, Audience, Occasion, Place, Recipient, Story, View};
use crate::template::Key;
use crate::tenant::Brand;

/// How much is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sample {
    /// Everything.
    Full,
    /// Nothing that may be unknown.
    Bare,
}

/// Nobody accepts what it has signed.
const SECRET: &str = "the-secret-of-people-who-do-not-exist";

impl Sample {
    pub const ALL: [Self; 2] = [Self::Full, Self::Bare];
}

/// What a template is given for them. Links look as they do in life, and lead nowhere.
pub fn view(sample: Sample, key: &Key, brand: &Brand, public_url: &str) -> View {
    let (occasion, audience) = (key.occasion, key.audience);
    let full = |text: &str| match sample {
        Sample::Full => text.to_owned(),
        Sample::Bare => String::new(),
    };
    let known = |text: &str| (sample == Sample::Full).then(|| text.to_owned());
    let place = Place {
        practitioner: "Dr. Anna Weidenbach".to_owned(),
        practice: full("Praxis am Rosenhof"),
        address: full("Rosenhofstraße 4, 10119 Berlin"),
        city: full("Berlin"),
        country: "DE".to_owned(),
        phone: known("+493023125000"),
    };
    let patient_name = known("Alice <Sample>");
    let recipient = Recipient {
        id: Uuid::nil(),
        audience,
        name: match audience {
            Audience::Patient => patient_name.clone(),
            Audience::Practitioner => Some(place.practitioner.clone()),
        },
        email: None,
        phone: None,
        channels: Vec::new(),
        locale: key.locale.clone(),
    };
    let secrets = Secrets::parse(SECRET).expect("it is long enough");
    let story = Story {
        occasion,
        booking: &booking(sample, occasion),
        patient_name: patient_name.as_deref(),
        place: &place,
        brand,
        public_url,
        secrets: &secrets,
    };
    notice::view(&story, &recipient, key.channel, &key.locale).expect("the sample is a slot")
}

fn booking(sample: Sample, occasion: Occasion) -> event::Booking {
    let at = |text: &str| -> Timestamp { text.parse().expect("the sample has times") };
    let date = |text: &str| text.parse().expect("the sample has dates");
    let previous = event::Previous {
        rescheduled_from: Uuid::from_u128(2),
        previous_slot_start: at("2026-11-20T13:00:00Z"),
        previous_local_date: date("2026-11-20"),
        previous_local_hour: 14,
    };
    let was_moved = occasion == Occasion::Rescheduled && sample == Sample::Full;
    event::Booking {
        schema: event::SCHEMA,
        booking_id: Uuid::from_u128(1),
        practitioner_id: Uuid::nil(),
        tenant_id: String::new(),
        patient_id: Uuid::nil(),
        slot_start: at("2026-11-23T08:00:00Z"),
        local_date: date("2026-11-23"),
        local_hour: 9,
        time_zone: "Europe/Berlin".to_owned(),
        booking_version: 1,
        calendar_uid: Uuid::nil(),
        calendar_sequence: 0,
        hold_expires_at: (occasion == Occasion::Offered).then(|| at("2026-11-22T16:15:00Z")),
        previous: was_moved.then_some(previous),
    }
}
