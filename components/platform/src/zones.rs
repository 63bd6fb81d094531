//! What the database knows of the clocks of zones: only the components know the zones' rules, so they
//! write them down for it (`zone_offsets`), and its own check of a slot rests on that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use praxis_domain::zone::{Stretch, Zone};
use serde::Serialize;

use crate::database::{self, Database};

/// $1 the stretches of some zones, complete for each. A zone whose rules are there already is not
/// written, and not locked: whoever saves a practitioner comes by here.
pub const KEEP: &str = "
with rules as (
    select *
    from jsonb_to_recordset($1::jsonb) as row (
        time_zone text, begins timestamptz, ends timestamptz, utc_offset_seconds int,
        first_from timestamptz
    )
), gone as (
    delete from zone_offsets z
    where z.time_zone in (select time_zone from rules)
        and not exists (
            select
            from rules
            where rules.time_zone = z.time_zone
                and rules.begins = z.begins
        )
)
insert into zone_offsets (time_zone, begins, ends, utc_offset_seconds, first_from)
select time_zone, begins, ends, utc_offset_seconds, first_from
from rules
where not exists (
    select
    from zone_offsets z
    where (z.time_zone, z.begins, z.ends, z.utc_offset_seconds, z.first_from)
        = (rules.time_zone, rules.begins, rules.ends, rules.utc_offset_seconds, rules.first_from)
)
order by time_zone, begins
on conflict (time_zone, begins) do update set
    ends = excluded.ends,
    utc_offset_seconds = excluded.utc_offset_seconds,
    first_from = excluded.first_from
";

/// A row of `zone_offsets`.
#[derive(Serialize)]
struct Row<'a> {
    time_zone: &'a str,
    #[serde(flatten)]
    stretch: Stretch,
}

/// Writes down the rules of some zones for the years around `now`.
pub async fn keep(
    database: &Database,
    zones: impl IntoIterator<Item = &Zone>,
    now: Timestamp,
) -> Result<(), database::Error> {
    let zones: BTreeMap<&str, &Zone> = zones.into_iter().map(|zone| (zone.name(), zone)).collect();
    let rows: Vec<Row> = zones
        .into_iter()
        .flat_map(|(time_zone, zone)| {
            let stretches = zone.stretches_around(now);
            stretches
                .into_iter()
                .map(move |stretch| Row { time_zone, stretch })
        })
        .collect();
    database.execute(KEEP, vec![database::json(&rows)]).await?;
    Ok(())
}
