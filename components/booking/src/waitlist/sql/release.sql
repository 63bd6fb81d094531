with released as (
    update waitlist
    set status = 'waiting', booking_id = null, updated_at = now()
    where booking_id = $1::uuid
        and status = 'offered'
)
select exists (
    select
    {matching}
) as is_wanted
