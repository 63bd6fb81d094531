-- Who speaks, of a tenant ($1) about an event ($2): a template an audience and channel at most, the one
-- whose locale comes first. Read with every event: a publish holds for the next one, on every host.
--
-- Of the patient: $3 locales, the best first, and $4 the place among a hundred, which says whether a
-- canary speaks. Of the practitioner: $5 and $6.
with tenant as (
    select id, name, default_locale, branding
    from tenants
    where id = $1::text
),
wanted as (
    select
        told.audience,
        told.locales || array[default_locale, split_part(default_locale, '-', 1)] as locales,
        told.bucket
    from tenant
    cross join (
        values ('patient', $3::text[], $4::int), ('practitioner', $5::text[], $6::int)
    ) as told (audience, locales, bucket)
),
choices as (
    select
        templates.*,
        array_position(wanted.locales, templates.locale) as rank,
        case when wanted.bucket < canary_share then canary else published end as chosen
    from templates
    join wanted using (audience)
    where tenant_id = $1::text
        and event = $2::text
        and locale = any (wanted.locales)
),
speaking as (
    select distinct on (audience, channel) *
    from choices
    where chosen is not null
    order by audience, channel, rank
)
select
    tenant.name,
    tenant.default_locale,
    tenant.branding,
    coalesce(
        (
            select jsonb_agg(
                jsonb_build_object(
                    'audience', speaking.audience,
                    'channel', speaking.channel,
                    'locale', speaking.locale,
                    'version', version,
                    'kind', kind,
                    'compiled', compiled,
                    'digest', digest,
                    'others', to_jsonb(array_remove(
                        array[nullif(published, chosen), nullif(previous, chosen)], null
                    ))
                )
            )
            from speaking
            join template_versions
                on template_versions.tenant_id = speaking.tenant_id
                and template_versions.event = speaking.event
                and template_versions.audience = speaking.audience
                and template_versions.channel = speaking.channel
                and template_versions.locale = speaking.locale
                and template_versions.version = speaking.chosen
        ),
        '[]'
    ) as templates
from tenant
