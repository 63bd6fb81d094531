//! The next free slot of each practitioner: computed, saved and announced.

use jiff::Timestamp;
use praxis_domain::audit::next_slot::RECHECK;
use praxis_platform::database::{self, Database};
use praxis_platform::snapshot::Snapshot;
use uuid::Uuid;

/// $1 practitioner, $2 the next slot (seconds) or null, $3 the snapshot's version, $4 whether to
/// announce it even if it is the same, $5 the trace or null, $6 from when on the slot can't be booked any
/// more (seconds) or null. Saves it unless something newer is there; a new value gets
/// the next version, and is announced with it in the same transaction.
pub const SAVE: &str = r#"
with held as (
    select version
    from next_slots
    where practitioner_id = $1::uuid
    for update
), saved as (
    insert into next_slots as n (practitioner_id, next_available_slot, source_version, closes_at)
    select $1::uuid, to_timestamp($2::bigint), $3::bigint, to_timestamp($6::bigint)
    -- Counted, so that the row is locked before it is compared.
    from (select count(*) from held) as locked
    on conflict (practitioner_id) do update
    set next_available_slot = excluded.next_available_slot,
        source_version = excluded.source_version,
        closes_at = excluded.closes_at,
        version = n.version + case
            when n.next_available_slot is distinct from excluded.next_available_slot
                -- Not at every retry of one event.
                or $4::bool and n.source_version < excluded.source_version then 1
            else 0
        end,
        updated_at = now()
    where n.source_version <= excluded.source_version
    returning *
)
insert into outbox (topic, key, kind, stream_version, data, traceparent)
select 'availability-events', saved.practitioner_id::text, 'AvailabilityChanged', saved.version,
    jsonb_build_object(
        'schema', 1,
        'practitioner_id', saved.practitioner_id,
        'next_available_slot', to_char(
            saved.next_available_slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
        ),
        'source_version', saved.source_version
    ),
    $5::text
from saved
left join held on true
where held.version is distinct from saved.version
"#;

/// $1 now (seconds), $2 how many, $3 hours: those whose next slot is too soon by now, and those that had
/// none when they were last looked at, so long ago, for a day has come within the horizon since.
pub const DUE: &str = "
select n.practitioner_id
from next_slots n
join practitioners p on p.id = n.practitioner_id
where n.closes_at <= to_timestamp($1::bigint)
    or (
        n.closes_at is null
        and p.active
        and n.updated_at < to_timestamp($1::bigint) - make_interval(hours => $3::int)
    )
order by n.closes_at
limit $2::int
";

/// $1 how many: those that were never computed.
pub const MISSING: &str = "
select p.id as practitioner_id
from practitioners p
where p.active
    and not exists (select from next_slots n where n.practitioner_id = p.id)
limit $1::int
";

/// Computes a practitioner's next free slot from a snapshot of every bookable day, and announces
/// it if it has changed, or `anyway`.
pub async fn save(
    database: &Database,
    practitioner: Uuid,
    snapshot: &Snapshot,
    now: Timestamp,
    anyway: bool,
) -> Result<(), database::Error> {
    let next = snapshot.next_free(now, 1).first().map(|slot| slot.start());
    let closes = next.map(|start| snapshot.schedule.terms.closes(start));
    let parameters = vec![
        database::uuid(practitioner),
        database::optional(next, database::seconds),
        database::ParameterValue::Int64(snapshot.version),
        database::ParameterValue::Boolean(anyway),
        database.trace(),
        database::optional(closes, database::seconds),
    ];
    database.execute(SAVE, parameters).await?;
    Ok(())
}

/// $1 practitioner, $2 the snapshot's version: a row of a version that is still to come would take no
/// older one.
const LOWER: &str = "
update next_slots
set source_version = $2::bigint
where practitioner_id = $1::uuid
    and source_version > $2::bigint
    -- Nothing has been committed since the snapshot.
    and exists (
        select
        from practitioners
        where id = $1::uuid
            and version = $2::bigint
    )
";

/// Writes the row of a snapshot, whatever is there, and announces it if the slot has changed. False:
/// there is a newer one by now.
pub async fn heal(
    database: &Database,
    practitioner: Uuid,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<bool, database::Error> {
    const IS_OF: &str = "
        select
        from next_slots
        where practitioner_id = $1::uuid
            and source_version = $2::bigint";
    let parameters = vec![
        database::uuid(practitioner),
        database::ParameterValue::Int64(snapshot.version),
    ];
    database.execute(LOWER, parameters.clone()).await?;
    save(database, practitioner, snapshot, now, false).await?;
    Ok(database.row(IS_OF, parameters).await?.is_some())
}

/// The practitioners whose next slot is to be computed anew, `limit` at most.
pub async fn due(
    database: &Database,
    now: Timestamp,
    limit: i32,
) -> Result<Vec<Uuid>, database::Error> {
    let count = database::ParameterValue::Int32(limit);
    let recheck = i32::try_from(RECHECK.as_hours()).unwrap_or(i32::MAX);
    let recheck = database::ParameterValue::Int32(recheck);
    let mut rows = database
        .rows(DUE, vec![database::seconds(now), count.clone(), recheck])
        .await?;
    if rows.is_empty() {
        rows = database.rows(MISSING, vec![count]).await?;
    }
    rows.iter().map(|row| row.get("practitioner_id")).collect()
}
