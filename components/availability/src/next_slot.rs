//! The next free slot of each practitioner: computed, saved and announced.

use jiff::Timestamp;
use praxis_domain::audit::next_slot::RECHECK;
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::snapshot::Snapshot;
use serde::Serialize;
use uuid::Uuid;

/// $1 the practitioners, `Computed` each. $2 whether to announce them even if they are the same, $3 the
/// trace or null. Saves each unless something newer is there; a new value gets the next version, and is
/// announced with it in the same transaction. As JSON, since PostgreSQL plans a statement over arrays
/// anew each time: it looks how long they are.
const SAVE: &str = r#"
with computed as materialized (
    select *
    from jsonb_to_recordset($1::jsonb)
        as of_one (practitioner_id uuid, next_slot bigint, source_version bigint, closes bigint)
), held as materialized (
    -- In one order, so that two who do this do not wait for each other.
    select n.practitioner_id, n.version
    from next_slots n
    join computed using (practitioner_id)
    order by n.practitioner_id
    for update of n
), saved as (
    insert into next_slots as n (practitioner_id, next_available_slot, source_version, closes_at)
    select practitioner_id, to_timestamp(next_slot), source_version, to_timestamp(closes)
    from computed
    -- Counted, so that the rows are locked before they are compared.
    cross join (select count(*) from held) as locked
    order by practitioner_id
    on conflict (practitioner_id) do update
    set next_available_slot = excluded.next_available_slot,
        source_version = excluded.source_version,
        closes_at = excluded.closes_at,
        version = n.version + case
            when n.next_available_slot is distinct from excluded.next_available_slot
                -- Not at every retry of one event.
                or $2::bool and n.source_version < excluded.source_version then 1
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
    $3::text
from saved
left join held using (practitioner_id)
where held.version is distinct from saved.version
"#;

/// What there is to save.
#[derive(Serialize)]
struct Computed {
    practitioner_id: Uuid,
    /// In seconds since 1970; null: none is free.
    next_slot: Option<i64>,
    /// The snapshot's.
    source_version: i64,
    /// From when on the slot can't be booked any more, in seconds.
    closes: Option<i64>,
}

/// $1 when (seconds), $2 how many: those whose next slot is too soon by then.
const DUE: &str = "
select practitioner_id
from next_slots
where closes_at <= to_timestamp($1::bigint)
order by closes_at
limit $2::int
";

/// $1 when (seconds), $2 how many, $3 hours: those that had none when they were last looked at, so long
/// before, for a day has come within the horizon since.
const WITHOUT: &str = "
select practitioner_id
from next_slots
where closes_at is null
    and updated_at < to_timestamp($1::bigint) - make_interval(hours => $3::int)
order by updated_at
limit $2::int
";

/// $1 how many: those that were never computed. Looks at all.
const MISSING: &str = "
select p.id as practitioner_id
from practitioners p
where p.active
    and not exists (select from next_slots n where n.practitioner_id = p.id)
limit $1::int
";

/// Computes the next free slot of each from a snapshot of every bookable day, and announces those that
/// have changed, or all of them `anyway`.
pub async fn save(
    database: &Database,
    practitioners: &[(Uuid, &Snapshot)],
    now: Timestamp,
    anyway: bool,
) -> Result<(), database::Error> {
    let computed = practitioners.iter().map(|(practitioner, snapshot)| {
        let next = snapshot.next_free(now, 1).first().map(|slot| slot.start());
        let closes = next.map(|start| snapshot.schedule.terms.closes(start));
        Computed {
            practitioner_id: *practitioner,
            next_slot: next.map(Timestamp::as_second),
            source_version: snapshot.version,
            closes: closes.map(Timestamp::as_second),
        }
    });
    let computed: Vec<_> = computed.collect();
    let parameters = vec![
        database::json(&computed),
        ParameterValue::Boolean(anyway),
        database.trace(),
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
        ParameterValue::Int64(snapshot.version),
    ];
    database.execute(LOWER, parameters.clone()).await?;
    save(database, &[(practitioner, snapshot)], now, false).await?;
    Ok(database.row(IS_OF, parameters).await?.is_some())
}

/// The practitioners whose next slot is to be computed anew, `limit` at most: each finds its own by an
/// index. With `all`, those that were lost too, for which all are looked at.
pub async fn due(
    database: &Database,
    when: Timestamp,
    limit: i32,
    all: bool,
) -> Result<Vec<Uuid>, database::Error> {
    let (when, count) = (database::seconds(when), ParameterValue::Int32(limit));
    let mut rows = database
        .rows(DUE, vec![when.clone(), count.clone()])
        .await?;
    if rows.is_empty() {
        let recheck = i32::try_from(RECHECK.as_hours()).unwrap_or(i32::MAX);
        let recheck = ParameterValue::Int32(recheck);
        let parameters = vec![when, count.clone(), recheck];
        rows = database.rows(WITHOUT, parameters).await?;
    }
    if rows.is_empty() && all {
        rows = database.rows(MISSING, vec![count]).await?;
    }
    rows.iter().map(|row| row.get("practitioner_id")).collect()
}
