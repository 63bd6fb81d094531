select to_jsonb(w) as entry, to_jsonb(b) as booking
from waitlist w
left join bookings b on b.id = w.booking_id
where w.patient_id = $1::uuid
    and w.practitioner_id is not distinct from $2::uuid
    and w.specialty is not distinct from $3::text
    and w.lat is not distinct from $4::float8
    and w.lon is not distinct from $5::float8
    and w.radius_km is not distinct from $6::float8
    and w.slot_from is not distinct from to_timestamp($7::bigint)
    and w.slot_to = to_timestamp($8::bigint)
    and w.status <> 'fulfilled'
