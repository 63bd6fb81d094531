select to_jsonb(b) as booking
from bookings b
where b.id = $1::uuid
