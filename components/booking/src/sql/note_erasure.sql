with turn as materialized (
    select turn_of($1::text)
)
insert into erasures (person, erased_at)
-- Not when the transaction began: what was signed in to while this one waited is erased as well.
select person_of($1::text), clock_timestamp()
from turn
on conflict (person) do update
set erased_at = excluded.erased_at
returning erased_at
