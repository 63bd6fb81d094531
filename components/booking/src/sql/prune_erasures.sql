with old as (
    select person
    from erasures
    where erased_at < now() - interval '30 days'
    order by erased_at
    limit $1::int
    for update skip locked
), dropped as (
    delete from erasures e
    using old
    where e.person = old.person
    returning e.person
)
select count(*) as dropped
from dropped
