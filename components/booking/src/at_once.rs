//! The ordinary booking, in one round trip: a patient, for themselves, a slot by its practitioner and
//! start. The statement decides from the same facts as `domain::booking::offer`, and books only where
//! nothing is left to ask; whatever else there is to say (why not, what instead, who comes for the
//! first time) is for the other way, which begins with what this one has read.

use jiff::Timestamp;
use praxis_domain::{terms, zone};
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue};
use uuid::Uuid;

use crate::caller::{Caller, Once, optional_text, profile};
use crate::record::{Booking, View};
use crate::{sql, store};

/// What was asked for, if it may be booked at once.
pub struct Wish {
    practitioner: Uuid,
    slot_start: Timestamp,
}

/// How it ended.
pub enum Attempt {
    Booked(View),
    /// Nothing was changed; this is who asks.
    Undecided(Caller),
    /// Something came in between.
    Again,
}

impl Wish {
    /// None for whoever is no patient, and where only half a slot is named.
    pub fn of(
        claims: &Claims,
        practitioner: Option<Uuid>,
        slot_start: Option<Timestamp>,
    ) -> Option<Self> {
        let (practitioner, slot_start) = (practitioner?, slot_start?);
        // The statement is told whole seconds.
        let is_whole = slot_start.subsec_nanosecond() == 0;
        (claims.is(Role::Patient) && is_whole).then_some(Self {
            practitioner,
            slot_start,
        })
    }
}

pub async fn book(
    database: &Database,
    claims: &Claims,
    wish: &Wish,
    once: &Once,
) -> Result<Attempt, database::Error> {
    let parameters = parameters(database, claims, wish, once);
    let row = store::retried(async || database.row(sql::BOOK_AT_ONCE, parameters.clone()).await);
    let row = match row.await {
        // Who was faster, and with what, is found out the other way.
        Err(database::Error::Constraint(_) | database::Error::Contention) => {
            return Ok(Attempt::Again);
        }
        row => row?,
    };
    let row = row.ok_or_else(|| database::Error::Broken("no row for the caller".into()))?;
    match row.optional_json::<Booking>("booking")? {
        Some(booked) => Ok(Attempt::Booked(View::from(&booked))),
        None => Ok(Attempt::Undecided(Caller::read(claims, &row)?)),
    }
}

/// The parameters of `sql::BOOK_AT_ONCE`.
fn parameters(
    database: &Database,
    claims: &Claims,
    wish: &Wish,
    once: &Once,
) -> Vec<ParameterValue> {
    let now = clock::now();
    let told = profile(claims);
    vec![
        database::uuid(clock::new_id()),
        database::uuid(wish.practitioner),
        database::seconds(wish.slot_start),
        database::text(&once.subject),
        database::text(&once.key),
        database::text(&once.request_hash),
        database::seconds(now),
        database::date(terms::first_date_anywhere(now)),
        database::text(zone::edition()),
        optional_text(&told.name),
        optional_text(&told.email),
        optional_text(&told.phone),
        optional_text(&told.locale),
        database::uuid(clock::new_id()),
        database.trace(),
    ]
}
