with theirs as materialized (
    -- Also holds that have run out: one may just be extended.
    select b.id, p.person_id
    from practitioners p
    join bookings b on b.practitioner_id = p.id
    where p.id = any ($1::text[]::uuid[])
        and b.person_id is distinct from p.person_id
        and b.status in ('held', 'confirmed')
        and b.slot_start > now() - interval '1 hour'
), free as materialized (
    select b.id
    from bookings b
    join theirs on theirs.id = b.id
    order by b.id
    for no key update of b skip locked
), followed as (
    update bookings b
    set person_id = theirs.person_id
    from theirs
    join free on free.id = theirs.id
    where b.id = theirs.id
)
select (select count(*) from theirs) = (select count(*) from free) as is_complete
