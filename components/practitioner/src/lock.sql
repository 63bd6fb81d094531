with shared as materialized (
    -- Who they are, and who they will be.
    select person_id
    from practitioners
    where id = any ($1::text[]::uuid[])
        and person_id is not null
    union
    select person_id
    from unnest($2::text[]::uuid[]) as named (person_id)
    order by person_id
), turns as materialized (
    select turn_of_places(person_id)
    from shared
)
select
    p.person_id is not null as is_shared,
    p.person_id is null or p.person_id in (select person_id from shared) as is_in_turn
from practitioners p
-- Counted, so that the turns are taken before any row is locked.
cross join (select count(*) from turns) as taken
where p.id = any ($1::text[]::uuid[])
order by p.id
for update of p
