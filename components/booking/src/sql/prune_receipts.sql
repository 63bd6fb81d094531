with old as (
    select subject, key
    from idempotency_receipts
    where created_at < now() - interval '7 days'
    order by created_at
    limit $1::int
    for update skip locked
), dropped as (
    delete from idempotency_receipts r
    using old
    where r.subject = old.subject
        and r.key = old.key
    returning r.key
)
select count(*) as dropped
from dropped
