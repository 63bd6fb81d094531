//! Who takes part in a booking, and where it is.

use praxis_domain::event;
use praxis_domain::locale::Locale;
use praxis_domain::notice::{Audience, Place, Recipient};
use praxis_domain::patient::Channel;
use praxis_platform::database::{self, Database, Row};
use praxis_platform::events::Failure;

use crate::reminders::plan::Change;

pub struct People {
    pub recipients: [Recipient; 2],
    pub patient_name: Option<String>,
    pub place: Place,
}

/// The patient and the practitioner of a booking, as they can be reached now; and what the event makes of the
/// plan of its reminders is done, if it makes anything of it: one statement for both.
pub async fn load(
    database: &Database,
    booking: &event::Booking,
    change: Option<&Change>,
) -> Result<People, Failure> {
    const LOAD: &str = include_str!("people.sql");
    const FOLLOW_AND_LOAD: &str = concat!(
        include_str!("reminders/plan.sql"),
        include_str!("people.sql")
    );
    let mut parameters = vec![
        database::uuid(booking.patient_id),
        database::uuid(booking.practitioner_id),
    ];
    let statement = match change {
        Some(change) => {
            parameters.extend(change.parameters(booking));
            FOLLOW_AND_LOAD
        }
        None => LOAD,
    };
    let row = database.row(statement, parameters).await?.ok_or_else(|| {
        let id = booking.booking_id;
        Failure::Reject(format!("the people of the booking {id} are not there"))
    })?;
    Ok(people(booking, &row)?)
}

fn people(booking: &event::Booking, row: &Row) -> Result<People, database::Error> {
    let text = |column| row.get::<String>(column);
    let optional = |column| row.get::<Option<String>>(column);
    let practitioner = text("practitioner_name")?;
    let phone = optional("practitioner_phone")?;
    Ok(People {
        recipients: [
            Recipient {
                id: booking.patient_id,
                audience: Audience::Patient,
                name: optional("patient_name")?,
                email: optional("patient_email")?,
                phone: optional("patient_phone")?,
                channels: row.json("patient_channels")?,
                locale: Locale::or_default(optional("patient_locale")?.as_deref()),
            },
            Recipient {
                id: booking.practitioner_id,
                audience: Audience::Practitioner,
                name: Some(practitioner.clone()),
                email: optional("practitioner_email")?,
                phone: phone.clone(),
                // They look after a whole calendar: a text for each booking would be noise.
                channels: vec![Channel::Email],
                locale: Locale::or_default(Some(&text("practitioner_locale")?)),
            },
        ],
        patient_name: optional("patient_name")?,
        place: Place {
            practitioner,
            practice: text("practice")?,
            address: text("address")?,
            city: text("city")?,
            country: text("country")?,
            phone,
        },
    })
}
