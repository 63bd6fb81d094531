-- Announces up to $1 reminders that are due, the longest overdue first, as events of kind $3 on topic $2.
-- A booking that is not to come any more has none, whatever was planned; of several that are due for one
-- booking, after an outage, the last one says it all.
with due as (
    select booking_id, lead_minutes
    from reminders
    where announced_at is null and due_at <= now()
    order by due_at
    limit $1::bigint
    for update skip locked
), announced as (
    update reminders r
    set announced_at = now()
    from due
    where r.booking_id = due.booking_id and r.lead_minutes = due.lead_minutes
    returning r.booking_id, r.lead_minutes, r.slot_start
), latest as (
    select booking_id, slot_start, min(lead_minutes) as lead_minutes
    from announced
    group by booking_id, slot_start
)
insert into outbox (topic, key, kind, stream_version, data)
select $2::text, b.id::text, $3::text, b.version,
    jsonb_build_object(
        'schema', 1,
        'booking_id', b.id,
        'lead_minutes', latest.lead_minutes,
        'slot_start', to_char(b.slot_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    )
from latest
join bookings b on b.id = latest.booking_id
join tenants t on t.id = b.tenant_id and latest.lead_minutes = any (t.reminder_minutes)
where b.status = 'confirmed'
    and b.slot_start = latest.slot_start
    and b.slot_start > now()
