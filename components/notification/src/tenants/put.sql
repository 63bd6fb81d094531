-- In a transaction that holds the tenant's row already: what was planned from the old times is there to be seen.
--
-- All that a tenant says of itself, in place of the revision $8; no row where that is not the last one. Where
-- other times of reminders are wanted, they hold for what is booked already.
with before as (
    select id, reminder_minutes
    from tenants
    where id = $1::text
), put as (
    update tenants set
        name = $2::text,
        default_locale = $3::text,
        branding = $4::jsonb,
        reminder_minutes = $6::int[],
        reminds_practitioners = $7::boolean,
        revision = revision + 1,
        changed_by = $5::text,
        changed_at = now()
    where id = $1::text
        and revision = $8::bigint
    returning
        id, name, default_locale, branding, reminder_minutes, reminds_practitioners, revision
), to_come as (
    select b.id, b.slot_start, put.reminder_minutes as leads
    from put
    join before on before.id = put.id and before.reminder_minutes <> put.reminder_minutes
    join bookings b on b.tenant_id = put.id
    where b.status = 'confirmed'
        and b.slot_start > now()
), dropped as (
    delete from reminders r
    using to_come
    where r.booking_id = to_come.id
        and r.announced_at is null
        and r.lead_minutes <> all (to_come.leads)
), planned as (
    insert into reminders (booking_id, lead_minutes, slot_start, due_at)
    select to_come.id, lead, to_come.slot_start, to_come.slot_start - make_interval(mins => lead)
    from to_come
    cross join unnest(to_come.leads) as lead
    where to_come.slot_start - make_interval(mins => lead) > now()
    on conflict do nothing
)
select
    id, name, default_locale, branding, reminds_practitioners, revision,
    to_jsonb(reminder_minutes) as reminder_minutes
from put
