select to_jsonb(w) as entry, to_jsonb(b) as booking
from waitlist w
left join bookings b on b.id = w.booking_id
where w.patient_id = (select id from patients where subject = $1::text)
order by w.created_at, w.id
limit $2::int
