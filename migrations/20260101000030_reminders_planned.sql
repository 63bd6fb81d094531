-- Reminders of what was booked before there were any.
insert into reminders (booking_id, lead_minutes, slot_start, due_at)
select b.id, lead, b.slot_start, b.slot_start - make_interval(mins => lead)
from bookings b
join tenants t on t.id = b.tenant_id
cross join unnest(t.reminder_minutes) as lead
where b.status = 'confirmed'
    and b.slot_start - make_interval(mins => lead) > now()
on conflict do nothing;

-- Old ones are forgotten.
create index template_failures_by_age on template_failures (at);
