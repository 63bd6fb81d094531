//! The delivery ledger: what was sent, and what was not and why. An entry is written before it is
//! sent, so that no replay tells anybody twice.

use praxis_domain::event;
use praxis_domain::notice::{LOCALE, Notice};
use praxis_platform::database::{self, Database, ParameterValue};
use praxis_platform::delivery::Receipt;

/// What an entry is about.
pub struct Entry<'a> {
    pub event_id: &'a str,
    pub booking: &'a event::Booking,
    pub notice: &'a Notice<'a>,
}

/// Why nothing is sent at all.
#[derive(Clone, Copy)]
pub enum Ending {
    NoAddress,
    TooOld,
}

pub struct Ledger<'a> {
    database: &'a Database,
}

impl<'a> Ledger<'a> {
    pub fn new(database: &'a Database) -> Self {
        Self { database }
    }

    /// Whether it is to be sent now: it is new, or an earlier try did not end.
    pub async fn claim(&self, entry: &Entry<'_>) -> Result<bool, database::Error> {
        self.write(entry, "sending").await
    }

    /// Keeps that nothing is sent, unless it was sent already.
    pub async fn record(&self, entry: &Entry<'_>, ending: Ending) -> Result<(), database::Error> {
        let status = match ending {
            Ending::NoAddress => "no-address",
            Ending::TooOld => "too-old",
        };
        self.write(entry, status).await.map(|_| ())
    }

    pub async fn sent(&self, entry: &Entry<'_>, receipt: &Receipt) -> Result<(), database::Error> {
        let provider = database::text(&receipt.provider);
        let provider_id = database::text(&receipt.provider_id);
        self.end(entry, "sent", provider, provider_id, ParameterValue::DbNull)
            .await
    }

    pub async fn failed(&self, entry: &Entry<'_>, reason: &str) -> Result<(), database::Error> {
        let reason = database::text(reason);
        self.end(
            entry,
            "failed",
            ParameterValue::DbNull,
            ParameterValue::DbNull,
            reason,
        )
        .await
    }

    /// False where an entry is there that has come to its end.
    async fn write(&self, entry: &Entry<'_>, status: &str) -> Result<bool, database::Error> {
        const WRITE: &str = "
            insert into deliveries as held (
                event_id, recipient, channel, audience, booking_id, tenant_id, template, locale,
                status
            )
            values ($1::text, $2::text, $3::text, $4::text, $5::uuid, $6::text, $7::text, $8::text,
                $9::text)
            on conflict (event_id, recipient, channel) do update set
                status = excluded.status,
                attempts = held.attempts + 1,
                updated_at = now()
            where held.status = 'sending'
            returning status";
        let notice = entry.notice;
        let mut parameters = key(entry);
        parameters.extend([
            database::text(notice.recipient.audience.name()),
            database::uuid(entry.booking.booking_id),
            database::text(&entry.booking.tenant_id),
            database::text(&notice.template),
            database::text(LOCALE),
            database::text(status),
        ]);
        Ok(self.database.row(WRITE, parameters).await?.is_some())
    }

    async fn end(
        &self,
        entry: &Entry<'_>,
        status: &str,
        provider: ParameterValue,
        provider_id: ParameterValue,
        reason: ParameterValue,
    ) -> Result<(), database::Error> {
        const END: &str = "
            update deliveries set
                status = $4::text,
                provider = $5::text,
                provider_id = $6::text,
                reason = $7::text,
                updated_at = now()
            where event_id = $1::text
                and recipient = $2::text
                and channel = $3::text";
        let mut parameters = key(entry);
        parameters.extend([database::text(status), provider, provider_id, reason]);
        self.database.execute(END, parameters).await.map(|_| ())
    }
}

fn key(entry: &Entry<'_>) -> Vec<ParameterValue> {
    vec![
        database::text(entry.event_id),
        database::text(entry.notice.recipient.id),
        database::text(entry.notice.channel.name()),
    ]
}
