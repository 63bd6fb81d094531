with held as (
    update bookings b
    set hold_expires_at = greatest(
            hold_expires_at,
            least(
                date_trunc('second', now()) + make_interval(secs => $3::int),
                date_trunc('second', created_at) + make_interval(secs => $4::int)
            )
        ),
        version = version + 1, updated_at = now(), changed_by = $5::text
    where id = $1::uuid
        and version = $2::int
        and status = 'held'
        and hold_expires_at > now()
    returning b as booking
)
select to_jsonb(held.booking) as booking
from held
