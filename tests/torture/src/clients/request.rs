//! How a deed is asked for over HTTP.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::history::{Deed, Slot, Whom, Wish};
use crate::town::{Area, Town};

pub struct Request {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    /// `If-Match`.
    pub version: Option<i32>,
}

impl Request {
    /// None for what no host is asked for.
    pub fn of(deed: &Deed, town: &Town) -> Option<Self> {
        let post = |path: &str, body: Value| Self {
            method: Method::POST,
            path: path.to_owned(),
            body: Some(body),
            version: None,
        };
        let bare = |method: Method, path: String| Self {
            method,
            path,
            body: None,
            version: None,
        };
        Some(match *deed {
            Deed::Book { slot } => post("/v1/bookings", of_slot(slot)),
            Deed::BookAny { area } => {
                let mut search = of_area(&town.areas[area]);
                search["to"] = instant(town.end).into();
                post("/v1/bookings", json!({ "search": search }))
            }
            Deed::Hold { slot } => post("/v1/holds", of_slot(slot)),
            Deed::Confirm { hold } => post("/v1/bookings", json!({ "hold_id": hold })),
            Deed::Heartbeat { hold } => bare(Method::POST, format!("/v1/holds/{hold}/heartbeat")),
            Deed::Release { hold } => bare(Method::DELETE, format!("/v1/holds/{hold}")),
            Deed::LetExpire { .. } => return None,
            Deed::Cancel { booking, version } => Self {
                version: Some(version),
                ..bare(Method::POST, format!("/v1/bookings/{booking}/cancel"))
            },
            Deed::Move {
                booking,
                version,
                to,
            } => Self {
                version: Some(version),
                ..post(
                    &format!("/v1/bookings/{booking}/reschedule"),
                    json!({ "slot_start": instant(to.start) }),
                )
            },
            Deed::Join { wish } => post("/v1/waitlist", of_wish(&wish, town)),
            Deed::Leave { entry } => bare(Method::DELETE, format!("/v1/waitlist/{entry}")),
            Deed::Erase => bare(Method::DELETE, "/v1/patients/me".to_owned()),
        })
    }
}

fn of_slot(slot: Slot) -> Value {
    json!({ "practitioner_id": slot.practitioner, "slot_start": instant(slot.start) })
}

fn of_wish(wish: &Wish, town: &Town) -> Value {
    let mut body = match wish.whom {
        Whom::Practitioner(practitioner) => json!({ "practitioner_id": practitioner }),
        Whom::Area(area) => json!({ "search": of_area(&town.areas[area]) }),
    };
    if let Some(from) = wish.from {
        body["from"] = instant(from).into();
    }
    body["to"] = instant(wish.to).into();
    body
}

fn of_area(area: &Area) -> Value {
    json!({
        "lat": area.lat,
        "lon": area.lon,
        "radius_km": area.radius_km,
        "specialty": area.specialty,
    })
}

fn instant(second: i64) -> String {
    let instant = Timestamp::from_second(second);
    instant.map(|at| at.to_string()).unwrap_or_default()
}
