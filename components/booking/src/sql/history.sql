select
    h.version, h.from_version, h.change, h.status,
    extract(epoch from h.slot_start)::bigint as slot_start,
    h.actor_role, h.actor,
    to_jsonb(h.at) as at
from bookings b
join booking_history h on h.booking_id = b.id
where b.id = $1::uuid
    and b.tenant_id = $2::text
order by h.version desc
limit $3::int
