select to_jsonb(b) as booking, seen.role
from bookings b
cross join lateral (
    select case
        when exists (select from patients t where t.id = b.patient_id and t.subject = $2::text)
            then 'patient'
        when exists (select from practitioners p where p.id = b.practitioner_id and p.subject = $3::text)
            then 'practitioner'
        when b.tenant_id = $4::text
            then 'staff'
    end as role
) as seen
where b.id = $1::uuid
    and seen.role is not null
