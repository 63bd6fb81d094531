with waits as materialized (
    select w.id
    from patients t
    join waitlist w on w.patient_id = t.id
    where t.subject = $1::text
    order by w.created_at, w.id
    for update of w
)
delete from waitlist w
using waits
where w.id = waits.id
