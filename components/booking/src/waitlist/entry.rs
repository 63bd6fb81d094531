//! An entry of the waitlist as the database has it, and as the patient sees it.

use jiff::Timestamp;
use praxis_domain::area::Area;
use praxis_domain::waitlist::Status;
use praxis_platform::database::{self, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::record::{self, Booking};

/// A row of `waitlist`.
#[derive(Debug, Deserialize)]
struct Entry {
    id: Uuid,
    practitioner_id: Option<Uuid>,
    specialty: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    radius_km: Option<f64>,
    slot_from: Option<Timestamp>,
    slot_to: Timestamp,
    status: Status,
    created_at: Timestamp,
}

#[derive(Serialize)]
pub struct View {
    waitlist_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    practitioner_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Area>,
    /// None: from now on.
    from: Option<Timestamp>,
    to: Timestamp,
    status: Status,
    created_at: Timestamp,
    /// The hold that is offered, or what was booked of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    booking: Option<record::View>,
}

/// From a row with an `entry` and its `booking`.
pub fn view(row: &Row, now: Timestamp) -> Result<View, database::Error> {
    let entry: Entry = row.json("entry")?;
    let booking: Option<Booking> = row.optional_json("booking")?;
    let offer = booking.as_ref().map(Booking::standing);
    let status = entry.status.settled(offer.as_ref(), now);
    let booking = match status {
        Status::Waiting => None,
        Status::Offered | Status::Fulfilled => booking,
    };
    Ok(View {
        waitlist_id: entry.id,
        practitioner_id: entry.practitioner_id,
        search: entry.area(),
        from: entry.slot_from,
        to: entry.slot_to,
        status,
        created_at: entry.created_at,
        booking: booking.as_ref().map(record::View::from),
    })
}

impl Entry {
    fn area(&self) -> Option<Area> {
        Some(Area {
            lat: self.lat?,
            lon: self.lon?,
            radius_km: self.radius_km?,
            specialty: self.specialty.clone()?,
        })
    }
}
