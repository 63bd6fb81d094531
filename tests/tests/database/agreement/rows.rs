//! Practitioners and the clocks of their zones, as rows.

use chrono::NaiveDate;
use jiff::civil::Date;
use praxis_domain::schedule::Week;
use praxis_domain::zone::{self, Stretch, Zone};
use serde_json::json;
use sqlx::PgConnection;

use super::scene::{PROFILE_VERSION, Practitioner, TENANT};

pub async fn teach(connection: &mut PgConnection, zone: &Zone, stretch: &Stretch) {
    sqlx::query(
        "insert into zone_offsets
            (time_zone, begins, ends, utc_offset_seconds, first_from, edition)
        values ($1, to_timestamp($2::bigint), to_timestamp($3::bigint), $4,
            to_timestamp($5::bigint), $6)",
    )
    .bind(zone.name())
    .bind(stretch.begins.as_second())
    .bind(stretch.ends.as_second())
    .bind(stretch.utc_offset_seconds)
    .bind(stretch.first_from.as_second())
    .bind(zone::edition())
    .execute(connection)
    .await
    .unwrap();
}

pub async fn employ(connection: &mut PgConnection, practitioner: &Practitioner) {
    let schedule = &practitioner.schedule;
    let leave = schedule.leave.iter();
    let leave: Vec<_> = leave
        .map(|span| format!("[{},{}]", span.from(), span.until()))
        .collect();
    sqlx::query(
        "insert into practitioners (id, tenant_id, name, specialty, country, lat, lon, time_zone,
            week, active, version, profile_version, holidays, leave, lead_minutes, horizon_days)
        values ($1, $2, 'Dr. Who', 'general-practice', 'GB', 51.5, 0, $3, $4, $5, 1, $6,
            $7, $8::text::datemultirange, $9, $10)",
    )
    .bind(practitioner.id)
    .bind(TENANT)
    .bind(schedule.zone.name())
    .bind(bits(&schedule.week))
    .bind(practitioner.active)
    .bind(PROFILE_VERSION)
    .bind(
        schedule
            .holidays
            .iter()
            .copied()
            .map(date)
            .collect::<Vec<_>>(),
    )
    .bind(format!("{{{}}}", leave.join(",")))
    .bind(schedule.terms.lead_minutes())
    .bind(schedule.terms.horizon_days())
    .execute(&mut *connection)
    .await
    .unwrap();
    let exceptions = schedule.exceptions.iter();
    let exceptions: Vec<_> = exceptions
        .map(|(date, mask)| json!({ "local_date": date, "mask": mask.bits() }))
        .collect();
    sqlx::query(
        "insert into schedule_exceptions (practitioner_id, local_date, mask)
        select $1, local_date, mask
        from jsonb_to_recordset($2) as row (local_date date, mask int)",
    )
    .bind(practitioner.id)
    .bind(json!(exceptions))
    .execute(&mut *connection)
    .await
    .unwrap();
    for period in &schedule.periods {
        sqlx::query(
            "insert into schedule_periods (practitioner_id, valid_from, valid_until, week)
            values ($1, $2, coalesce($3, 'infinity'), $4)",
        )
        .bind(practitioner.id)
        .bind(date(period.valid_from))
        .bind(period.valid_until.map(date))
        .bind(bits(&period.week))
        .execute(&mut *connection)
        .await
        .unwrap();
    }
}

fn bits(week: &Week) -> Vec<i32> {
    let week = week.iter();
    week.map(|mask| i32::try_from(mask.bits()).unwrap())
        .collect()
}

/// As the driver takes it.
pub fn date(date: Date) -> NaiveDate {
    date.to_string().parse().unwrap()
}
