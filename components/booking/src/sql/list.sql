select to_jsonb(b) as booking
from bookings b
where b.id in ({pages})
order by b.slot_start, b.id
limit $6::int
