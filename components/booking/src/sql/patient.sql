select to_jsonb(t) as patient
from patients t
where t.id = $1::uuid
    and t.erased_at is null
