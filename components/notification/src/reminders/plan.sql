-- To be put before a statement, which has $1 and $2 to itself.
--
-- The tenant is held as it is, so that its times do not change between here and the commit: whoever changes them
-- finds these rows.
--
-- Drops the reminders of the booking $4, which has ended, if there is one, and plans those of the booking $3,
-- if it is still to come: each that was not due yet at $5.
with dropped as (
    delete from reminders
    where booking_id = $4::uuid
), tenant as materialized (
    select t.reminder_minutes
    from tenants t
    where t.id = $6::text
    for share
), planned as (
    insert into reminders (booking_id, lead_minutes, slot_start, due_at)
    select b.id, lead, b.slot_start, b.slot_start - make_interval(mins => lead)
    from bookings b
    cross join tenant
    cross join unnest(tenant.reminder_minutes) as lead
    where b.id = $3::uuid
        and b.status = 'confirmed'
        and b.slot_start > now()
        and b.slot_start - make_interval(mins => lead) > to_timestamp($5::bigint)
    on conflict do nothing
)
