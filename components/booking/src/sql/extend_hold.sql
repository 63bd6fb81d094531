with seen as materialized (
    -- Of whoever works at several places, one after the other.
    select
        person_id,
        case when person_id is null then true else turn_of_places(person_id) end as is_in_turn
    from bookings
    where id = $1::uuid
), held as (
    update bookings b
    set hold_expires_at = greatest(
            hold_expires_at,
            least(
                date_trunc('second', now()) + make_interval(secs => $3::int),
                date_trunc('second', created_at) + make_interval(secs => $4::int)
            )
        ),
        version = version + 1, updated_at = now(), changed_by = $5::text
    from seen
    where b.id = $1::uuid
        and seen.is_in_turn
        and b.person_id is not distinct from seen.person_id
        and version = $2::int
        and status = 'held'
        and hold_expires_at > now()
    returning b as booking
)
select to_jsonb(held.booking) as booking
from held
