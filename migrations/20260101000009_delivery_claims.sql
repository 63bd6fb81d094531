-- A claim is exclusive: of two hosts that handle the same event at once, one sends.
--   sending  claimed, outcome not known yet. Nobody else's until its `updated_at` is so old that the
--            claimer is certainly dead: then it is sent again, under the same key.
--   waiting  given back: the channel was unavailable, the next try may claim it at once.
-- `attempts` counts the claims.
alter table deliveries
    drop constraint deliveries_status_check,
    add constraint deliveries_status_check check (
        status in ('sending', 'waiting', 'sent', 'no-address', 'too-old', 'failed')
    );

-- Whether anybody gets through on a channel.
create index deliveries_sent on deliveries (channel, updated_at) where status = 'sent';
