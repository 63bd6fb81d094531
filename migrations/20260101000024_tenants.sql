-- How a tenant appears in what is sent in its name. Written by its staff, through the notification
-- component.

alter table tenants
    -- Of whom it is not known, and where a language has no words of the tenant's own.
    add column default_locale text not null default 'en'
        check (length(default_locale) between 2 and 35),
    -- sender_name, reply_to, logo_url, colors: what is missing is as it is for everybody.
    add column branding jsonb not null default '{}'
        check (jsonb_typeof(branding) = 'object'),
    -- The optimistic lock: ETag and If-Match.
    add column revision bigint not null default 1,
    add column changed_by text,
    add column changed_at timestamptz;
