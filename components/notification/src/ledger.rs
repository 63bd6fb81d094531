//! The delivery ledger: what was sent, and what was not and why. An entry is claimed before it is
//! sent, and by one host at a time, so that no replay tells anybody twice.
//!
//! One outcome cannot be known: a host that dies after the provider took a message and before the
//! ledger says so leaves its claim behind. `CLAIM_AGE_MAX` later the message is sent again, with the
//! same idempotency key: a provider that remembers keys drops it, and a mail has the same
//! Message-ID, by which mailboxes know a copy.

use praxis_domain::event;
use praxis_domain::notice::{self, CLAIM_AGE_MAX, LOCALE, Notice};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::delivery::Receipt;

/// What an entry is about.
pub struct Entry<'a> {
    pub event_id: &'a str,
    pub booking: &'a event::Booking,
    pub notice: &'a Notice<'a>,
}

/// Why nothing is sent at all.
#[derive(Clone, Copy)]
pub enum Ending<'a> {
    NoAddress,
    TooOld,
    /// Not even tried, and why.
    Failed(&'a str),
}

/// What an asked for entry is.
pub enum Claim {
    /// Ours, at the try of this number: from one.
    Ours(i32),
    /// Another host's, or that of one that died not long ago.
    Held,
    /// Come to its end, and whether that was a failure.
    Ended { failed: bool },
}

/// What becomes of an entry whose channel was unavailable.
pub enum Given {
    /// To the next try.
    Back,
    Up,
}

pub struct Ledger<'a> {
    database: &'a Database,
}

impl<'a> Ledger<'a> {
    pub fn new(database: &'a Database) -> Self {
        Self { database }
    }

    /// Claims all entries of one event, in their order. `Ours` where it is to be sent now: it is new, was
    /// given back, or its claimer has died. With an ending, that is kept in the same cases, and nothing is
    /// to be sent.
    pub async fn claim(
        &self,
        entries: &[(Entry<'_>, Option<Ending<'_>>)],
    ) -> Result<Vec<Claim>, database::Error> {
        const CLAIM: &str = include_str!("claim.sql");
        let Some((
            Entry {
                event_id, booking, ..
            },
            _,
        )) = entries.first()
        else {
            return Ok(Vec::new());
        };
        let column = |of: fn(&Notice<'_>) -> String| {
            let notices = entries.iter().map(|(entry, _)| Some(of(entry.notice)));
            ParameterValue::ArrayStr(notices.collect())
        };
        let ends = entries.iter().map(|(_, ending)| end_of(*ending));
        let (status, reason): (Vec<_>, Vec<_>) = ends.unzip();
        let parameters = vec![
            database::text(event_id),
            database::uuid(booking.booking_id),
            database::text(&booking.tenant_id),
            database::text(LOCALE),
            column(|notice| notice.recipient.id.to_string()),
            column(|notice| notice.channel.name().to_owned()),
            column(|notice| notice.recipient.audience.name().to_owned()),
            column(|notice| notice.template.clone()),
            ParameterValue::ArrayStr(status),
            ParameterValue::ArrayStr(reason),
            ParameterValue::Int64(CLAIM_AGE_MAX.as_secs()),
        ];
        let rows = self.database.rows(CLAIM, parameters).await?;
        let mut claims = Vec::with_capacity(entries.len());
        for (entry, _) in entries {
            let row = row_of(&rows, entry.notice)?;
            claims.push(row.map_or(Ok(Claim::Held), claimed)?);
        }
        Ok(claims)
    }

    pub async fn sent(&self, entry: &Entry<'_>, receipt: &Receipt) -> Result<(), database::Error> {
        let provider = database::text(&receipt.provider);
        let provider_id = database::text(&receipt.provider_id);
        self.end(entry, "sent", provider, provider_id, ParameterValue::DbNull)
            .await
    }

    pub async fn failed(&self, entry: &Entry<'_>, reason: &str) -> Result<(), database::Error> {
        let null = || ParameterValue::DbNull;
        self.end(entry, "failed", null(), null(), database::text(reason))
            .await
    }

    /// After the try of that number, where the channel was unavailable.
    pub async fn give(&self, entry: &Entry<'_>, attempts: i32) -> Result<Given, database::Error> {
        let others_get_through = self.others_get_through(entry).await?;
        if notice::is_given_up(attempts, others_get_through) {
            self.failed(entry, &format!("unavailable at {attempts} tries"))
                .await?;
            return Ok(Given::Up);
        }
        let null = || ParameterValue::DbNull;
        let reason = database::text("unavailable");
        self.end(entry, "waiting", null(), null(), reason).await?;
        Ok(Given::Back)
    }

    /// Whether anybody was told on its channel since it was first tried.
    async fn others_get_through(&self, entry: &Entry<'_>) -> Result<bool, database::Error> {
        const OTHERS: &str = "
            select exists (
                select
                from deliveries as other
                where other.channel = held.channel
                    and other.status = 'sent'
                    and other.updated_at > held.created_at
            ) as others_get_through
            from deliveries as held
            where held.event_id = $1::text
                and held.recipient = $2::text
                and held.channel = $3::text";
        match self.database.row(OTHERS, key(entry)).await? {
            Some(row) => row.get("others_get_through"),
            None => Ok(false),
        }
    }

    /// Of a claim that is ours.
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

/// The status of an entry, and why it has it.
fn end_of(ending: Option<Ending<'_>>) -> (Option<String>, Option<String>) {
    let (status, reason) = match ending {
        None => ("sending", None),
        Some(Ending::NoAddress) => ("no-address", None),
        Some(Ending::TooOld) => ("too-old", None),
        Some(Ending::Failed(reason)) => ("failed", Some(reason.to_owned())),
    };
    (Some(status.to_owned()), reason)
}

fn row_of<'r>(rows: &'r [Row], notice: &Notice<'_>) -> Result<Option<&'r Row>, database::Error> {
    for row in rows {
        let (recipient, channel): (String, String) = (row.get("recipient")?, row.get("channel")?);
        if recipient == notice.recipient.id.to_string() && channel == notice.channel.name() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn claimed(row: &Row) -> Result<Claim, database::Error> {
    if row.get("is_ours")? {
        return Ok(Claim::Ours(row.get("attempts")?));
    }
    let status: String = row.get("status")?;
    Ok(match &status[..] {
        "sending" | "waiting" => Claim::Held,
        status => Claim::Ended {
            failed: status == "failed",
        },
    })
}
