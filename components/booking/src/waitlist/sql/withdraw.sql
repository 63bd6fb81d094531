delete from waitlist w
using patients t
where w.id = $1::uuid
    and t.id = w.patient_id
    and t.subject = $2::text
returning case w.status when 'offered' then w.booking_id::text end as hold
