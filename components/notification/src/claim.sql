-- Claims a delivery ($9 `sending`) or ends it at once (any other status, $10 says why), in one
-- statement: whoever comes second waits for the first and then finds its row.
--
-- What comes back, one row at most: whether the row is ours now, and as it is then. No row: somebody
-- else claimed it while we looked.
with ours as (
    insert into deliveries as held (
        event_id, recipient, channel, audience, booking_id, tenant_id, template, locale, status,
        reason
    )
    values (
        $1::text, $2::text, $3::text, $4::text, $5::uuid, $6::text, $7::text, $8::text, $9::text,
        $10::text
    )
    on conflict (event_id, recipient, channel) do update set
        status = excluded.status,
        reason = excluded.reason,
        attempts = held.attempts + 1,
        updated_at = now()
    where held.status = 'waiting'
        or held.status = 'sending'
            and held.updated_at < now() - $11::bigint * interval '1 second'
    returning held.status, held.attempts
)
select true as is_ours, status, attempts
from ours
union all
select false, status, attempts
from deliveries
where event_id = $1::text
    and recipient = $2::text
    and channel = $3::text
    and not exists (select from ours)
