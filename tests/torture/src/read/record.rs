//! What is on record: the history of bookings, and the test's own journal.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::checker::{Change, Place, Wait};
use crate::town::Area;

pub async fn history(connection: &mut PgConnection) -> anyhow::Result<Vec<Change>> {
    let rows: Vec<(Uuid, i32, String, i64)> = sqlx::query_as(
        "select booking_id, version, change, (extract(epoch from at) * 1000000)::bigint
        from booking_history",
    )
    .fetch_all(connection)
    .await?;
    let change = |(booking, version, change, at_us)| Change {
        booking,
        version,
        change,
        at_us,
    };
    Ok(rows.into_iter().map(change).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    entry: Uuid,
    subject: String,
    practitioner_id: Option<Uuid>,
    specialty: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    radius_km: Option<f64>,
    slot_from: Option<i64>,
    slot_to: i64,
    status: String,
    booking_id: Option<Uuid>,
    began_us: i64,
    at_us: i64,
}

pub async fn waits(connection: &mut PgConnection) -> anyhow::Result<Vec<Wait>> {
    let rows: Vec<Row> = sqlx::query_as(
        "select w.entry, p.subject, w.practitioner_id, w.specialty, w.lat, w.lon, w.radius_km,
            extract(epoch from w.slot_from)::bigint as slot_from,
            extract(epoch from w.slot_to)::bigint as slot_to,
            w.status, w.booking_id,
            (extract(epoch from w.began) * 1000000)::bigint as began_us,
            (extract(epoch from w.at) * 1000000)::bigint as at_us
        from torture_waits w
        join torture_people p on p.patient_id = w.patient_id
        order by w.number",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Row::into_wait).collect())
}

impl Row {
    fn into_wait(self) -> Wait {
        let area = match (self.specialty, self.lat, self.lon, self.radius_km) {
            (Some(specialty), Some(lat), Some(lon), Some(radius_km)) => Some(Area {
                lat,
                lon,
                radius_km,
                specialty,
            }),
            _ => None,
        };
        Wait {
            entry: self.entry,
            subject: self.subject,
            practitioner: self.practitioner_id,
            area,
            from: self.slot_from,
            to: self.slot_to,
            status: self.status,
            booking: self.booking_id,
            began_us: self.began_us,
            at_us: self.at_us,
        }
    }
}

pub async fn places(connection: &mut PgConnection) -> anyhow::Result<BTreeMap<Uuid, Place>> {
    let rows: Vec<(Uuid, f64, f64, String)> =
        sqlx::query_as("select id, lat, lon, specialty from practitioners")
            .fetch_all(connection)
            .await?;
    let place = |(id, lat, lon, specialty)| {
        let place = Place {
            lat,
            lon,
            specialty,
        };
        (id, place)
    };
    Ok(rows.into_iter().map(place).collect())
}
