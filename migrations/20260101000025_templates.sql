-- A tenant's own words. Owned by the notification component.

-- What an author wrote: it never changes.
create table template_versions (
    tenant_id  text        not null references tenants (id),
    event      text        not null check (event in (
                   'booking-created', 'booking-cancelled', 'booking-rescheduled',
                   'booking-reminder', 'hold-offered'
               )),
    audience   text        not null check (audience in ('patient', 'practitioner')),
    channel    text        not null check (channel in ('email', 'sms', 'push')),
    locale     text        not null check (length(locale) between 2 and 35),
    version    int         not null check (version > 0),
    kind       text        not null check (kind in ('jinja', 'component')),
    -- Of Jinja: as it was written, and as the renderer takes it.
    source     text        check (octet_length(source) <= 262144),
    compiled   text,
    -- SHA-256, in hexadecimal, of the source or the component: what was rendered, for good.
    digest     text        not null check (digest ~ '^[0-9a-f]{64}$'),
    bytes      int         not null,
    -- The `sub` of the token.
    author     text        not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, event, audience, channel, locale, version),
    constraint template_versions_are_of_a_kind check (
        (kind = 'jinja') = (source is not null) and (kind = 'jinja') = (compiled is not null)
    )
);

-- Which of them speak. No row: the built-in words do.
create table templates (
    tenant_id    text        not null references tenants (id),
    event        text        not null,
    audience     text        not null,
    channel      text        not null,
    locale       text        not null,
    -- The number of the newest version.
    versions     int         not null default 1,
    -- Null: the built-in words.
    published    int,
    -- Says `canary_share` of a hundred messages; chosen by event and recipient.
    canary       int,
    canary_share smallint    check (canary_share between 1 and 99),
    -- What was published before: where a rollback goes, and what speaks if the published one fails.
    previous     int,
    -- Counts what changes who speaks: ETag and If-Match.
    revision     bigint      not null default 0,
    changed_by   text,
    changed_at   timestamptz not null default now(),
    primary key (tenant_id, event, audience, channel, locale),
    constraint templates_canary_has_a_share check ((canary is null) = (canary_share is null)),
    constraint templates_publish_versions
        foreign key (tenant_id, event, audience, channel, locale, published)
        references template_versions (tenant_id, event, audience, channel, locale, version),
    foreign key (tenant_id, event, audience, channel, locale, canary)
        references template_versions (tenant_id, event, audience, channel, locale, version),
    foreign key (tenant_id, event, audience, channel, locale, previous)
        references template_versions (tenant_id, event, audience, channel, locale, version)
);

-- Every change of who speaks, append-only: written by a trigger, so that a change by SQL is on
-- record too.
create table template_changes (
    tenant_id    text        not null,
    event        text        not null,
    audience     text        not null,
    channel      text        not null,
    locale       text        not null,
    revision     bigint      not null,
    published    int,
    canary       int,
    canary_share smallint,
    changed_by   text        not null,
    changed_at   timestamptz not null default clock_timestamp(),
    primary key (tenant_id, event, audience, channel, locale, revision)
);

create function templates_record() returns trigger language plpgsql as $$
begin
    if (new.published, new.canary, new.canary_share, new.previous)
        is not distinct from (old.published, old.canary, old.canary_share, old.previous)
    then
        new.revision := old.revision;
        new.changed_by := old.changed_by;
        new.changed_at := old.changed_at;
        return new;
    end if;
    -- Who counts the change says who they are. It is counted all the same: an ETag never lies.
    if new.revision = old.revision then
        new.changed_by := 'sql:' || session_user;
    end if;
    new.revision := old.revision + 1;
    new.changed_at := clock_timestamp();
    insert into template_changes
        (tenant_id, event, audience, channel, locale, revision, published, canary, canary_share,
            changed_by)
    values
        (new.tenant_id, new.event, new.audience, new.channel, new.locale, new.revision,
            new.published, new.canary, new.canary_share, new.changed_by);
    return new;
end
$$;

create trigger templates_recorded
    before update on templates
    for each row execute function templates_record();

create function templates_refuse() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: no %', tg_table_name, lower(tg_op)
        using errcode = 'check_violation', constraint = tg_table_name || '_append_only';
end
$$;

create trigger template_versions_stand
    before update or delete or truncate on template_versions
    for each statement execute function templates_refuse();

create trigger template_changes_stand
    before update or delete or truncate on template_changes
    for each statement execute function templates_refuse();

-- Where a version failed and another spoke in its place. The newest of each version are kept.
create table template_failures (
    tenant_id  text        not null,
    event      text        not null,
    audience   text        not null,
    channel    text        not null,
    locale     text        not null,
    version    int         not null,
    event_id   text        not null,
    detail     text        not null,
    at         timestamptz not null default clock_timestamp(),
    -- Tried again, an event fails as it did.
    primary key (tenant_id, event, audience, channel, locale, version, event_id)
);

-- Why did this mail say that? Who spoke, and what was it given. A null tenant: the built-in words.
alter table deliveries
    add column template_tenant text,
    add column template_locale text,
    add column template_version int,
    -- SHA-256 of the view, in hexadecimal. Null where nothing was to be said.
    add column input_hash text;
