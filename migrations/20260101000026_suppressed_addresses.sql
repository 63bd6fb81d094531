-- Addresses to which nothing is sent any more: the mailbox is not there, or its owner called what we
-- sent unwanted. Owned by the notification component.
--
-- For all tenants together: a mailbox that is not there is there for nobody, all of them send from
-- one account, and a provider that keeps getting mail bounced closes that account for all.

create table suppressed_addresses (
    channel      text        not null check (channel in ('email', 'sms', 'push')),
    -- SHA-256 of the address in lower case, without a display name. The address itself is not kept.
    address_hash bytea       not null check (length(address_hash) = 32),
    -- `refused`: by the provider, when it was sent. `bounced`, `complained`: reported later.
    reason       text        not null check (reason in ('refused', 'bounced', 'complained')),
    created_at   timestamptz not null default now(),
    primary key (channel, address_hash)
);

-- `suppressed`: not sent, the address is among those above. `bounced`, `complained`: it was sent, and
-- the provider reported that later; `reason` has its word for it.
alter table deliveries
    drop constraint deliveries_status_check,
    add constraint deliveries_status_check check (
        status in (
            'sending', 'waiting', 'sent', 'no-address', 'too-old', 'failed',
            'suppressed', 'bounced', 'complained'
        )
    );

-- A report names its message by the provider's id.
create index deliveries_by_provider_id on deliveries (provider_id) where provider_id is not null;
