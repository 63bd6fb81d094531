//! What is broken on purpose, to see that it is found: each takes away one thing that the promises
//! rest on, in the database, before anybody books.

use clap::ValueEnum;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mutation {
    /// The gate: without its index a slot can be booked twice.
    UniqueIndex,
    /// Some events are not saved with their change.
    Outbox,
    /// A change is not decided again when the practitioner has changed meanwhile.
    Fence,
    /// A mail can be claimed however often.
    Ledger,
    /// Some receipts are not kept: a request that is sent again is decided again.
    Receipt,
    /// An entry of the waitlist that has its offer waits on.
    Offer,
    /// An entry of the waitlist has any time but its own: the queue is none.
    Queue,
    /// An erasure forgets the name, and leaves the address.
    Erasure,
}

impl Mutation {
    pub fn sql(self) -> &'static str {
        match self {
            Self::UniqueIndex => "drop index idx_no_double_book",
            Self::Outbox => {
                "create function torture_swallow() returns trigger language plpgsql as $$
                begin
                    return case when hashtext(new.event_id::text) % 50 = 0 then null else new end;
                end
                $$;
                create trigger torture_swallow
                    before insert on outbox
                    for each row
                    when (new.topic = 'booking-events')
                    execute function torture_swallow();"
            }
            Self::Fence => {
                "create or replace function version_unless_changed(
                    p practitioners,
                    seen_profile_version bigint
                ) returns bigint language plpgsql as $$
                begin
                    return p.version;
                end
                $$"
            }
            Self::Ledger => {
                "create function torture_forget() returns trigger language plpgsql as $$
                begin
                    delete from deliveries
                    where event_id = new.event_id
                        and recipient = new.recipient
                        and channel = new.channel;
                    return new;
                end
                $$;
                create trigger torture_forget
                    before insert on deliveries
                    for each row execute function torture_forget();"
            }
            Self::Receipt => {
                "create function torture_lose() returns trigger language plpgsql as $$
                begin
                    return case when hashtext(new.key) % 10 = 0 then null else new end;
                end
                $$;
                create trigger torture_lose
                    before insert on idempotency_receipts
                    for each row execute function torture_lose();"
            }
            Self::Offer => {
                "alter table waitlist drop constraint waitlist_offer;
                create function torture_wait_on() returns trigger language plpgsql as $$
                begin
                    new.status := 'waiting';
                    return new;
                end
                $$;
                create trigger torture_wait_on
                    before update on waitlist
                    for each row
                    when (new.status = 'offered')
                    execute function torture_wait_on();"
            }
            Self::Queue => {
                "create function torture_jump() returns trigger language plpgsql as $$
                begin
                    new.created_at := now() - random() * interval '1 hour';
                    return new;
                end
                $$;
                create trigger torture_jump
                    before insert on waitlist
                    for each row execute function torture_jump();"
            }
            Self::Erasure => {
                "create function torture_remember() returns trigger language plpgsql as $$
                begin
                    new.email := old.email;
                    return new;
                end
                $$;
                create trigger torture_remember
                    before update on patients
                    for each row
                    when (new.erased_at is not null)
                    execute function torture_remember();"
            }
        }
    }

    /// What it is found by, at least.
    pub fn found_by(self) -> &'static str {
        match self {
            Self::UniqueIndex => "double booked",
            Self::Outbox => "events of one commit",
            Self::Fence => "outside hours",
            Self::Ledger => "told twice",
            Self::Receipt => "no receipt",
            Self::Offer => "offered twice",
            Self::Queue => "unfair",
            Self::Erasure => "remains",
        }
    }
}
