-- Claims deliveries of one event (status `sending`) or ends them at once (any other status, the reason says
-- why), in one statement: whoever comes second waits for the first and then finds its rows. Four arrays say in
-- whose words each is told: tenant, locale and version of the template, and the hash of what it was given. The last
-- one has the addresses: to one that is suppressed nothing is sent, whatever was asked.
--
-- What comes back, one row at most for each: whether it is ours now, and as it is then. No row: somebody
-- else claimed it while we looked.
with asked as (
    select asked.*, status in ('sending', 'failed') and suppressed.channel is not null as is_suppressed
    from unnest(
        $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::text[], $13::text[], $14::int[], $15::text[], $16::text[]
    ) as asked (
        recipient, channel, audience, template, locale, status, reason,
        template_tenant, template_locale, template_version, input_hash, address
    )
    left join suppressed_addresses as suppressed on suppressed.channel = asked.channel
        and suppressed.address_hash = sha256(convert_to(asked.address, 'UTF8'))
), ours as (
    insert into deliveries as held (
        event_id, recipient, channel, audience, booking_id, tenant_id, template, locale, status,
        reason, template_tenant, template_locale, template_version, input_hash
    )
    select
        $1::text, recipient, channel, audience, $2::uuid, $3::text, template, locale,
        case when is_suppressed then 'suppressed' else status end,
        case when not is_suppressed then reason end,
        case when not is_suppressed then template_tenant end,
        case when not is_suppressed then template_locale end,
        case when not is_suppressed then template_version end,
        case when not is_suppressed then input_hash end
    from asked
    -- All hosts in one order, so that they do not wait for each other.
    order by recipient, channel
    on conflict (event_id, recipient, channel) do update set
        status = excluded.status,
        reason = excluded.reason,
        template_tenant = excluded.template_tenant,
        template_locale = excluded.template_locale,
        template_version = excluded.template_version,
        input_hash = excluded.input_hash,
        attempts = held.attempts + 1,
        updated_at = now()
    where held.status = 'waiting'
        or held.status = 'sending'
            and held.updated_at < now() - $4::bigint * interval '1 second'
    returning held.recipient, held.channel, held.status, held.attempts
)
select true as is_ours, status, attempts, recipient, channel
from ours
union all
select false, d.status, d.attempts, d.recipient, d.channel
from deliveries d
where d.event_id = $1::text
    and (d.recipient, d.channel) in (select recipient, channel from asked)
    and (d.recipient, d.channel) not in (select recipient, channel from ours)
