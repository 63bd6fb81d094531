select t.id
from patients t
where t.id = $1::uuid
    and t.erased_at is null
    and exists (
        select
        from bookings b
        where b.patient_id = t.id
            and b.tenant_id = $2::text
    )
