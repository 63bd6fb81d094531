delete from waitlist
where id in (
    select id
    from waitlist
    where slot_to < now() - interval '7 days'
    order by slot_to
    limit $1::int
    for update skip locked
)
