-- Which languages somebody speaks, and whether they also see people by video or telephone.

alter table practitioners
    -- BCP 47 primary language subtags, ascending.
    add column languages text[] not null default '{}'
        constraint practitioners_languages check (cardinality(languages) <= 20),
    add column telehealth boolean not null default false;
