select to_jsonb(b) as booking
from bookings b
where b.id = $1::uuid
    and (
        exists (select from patients t where t.id = b.patient_id and t.subject = $2::text)
        or exists (select from practitioners p where p.id = b.practitioner_id and p.subject = $3::text)
        or b.tenant_id = $4::text
    )
