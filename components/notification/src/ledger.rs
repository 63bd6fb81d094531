//! The delivery ledger: what was sent, and what was not and why. An entry is claimed before it is
//! sent, and by one host at a time, so that no replay tells anybody twice.
//!
//! One outcome cannot be known: a host that dies after the provider took a message and before the
//! ledger says so leaves its claim behind. `CLAIM_AGE_MAX` later the message is sent again, with the
//! same idempotency key: a provider that remembers keys drops it, and a mail has the same
//! Message-ID, by which mailboxes know a copy.

use praxis_domain::event;
use praxis_domain::notice::{self, CLAIM_AGE_MAX, Notice};
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::delivery::Receipt;
use serde::Serialize;
use uuid::Uuid;

use crate::suppressed::{self, Reason};
use crate::templates::Said;

/// Said by `claim.sql` where nothing is sent to the address any more.
const SUPPRESSED: &str = "suppressed";

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
    /// They want no reminders on that channel.
    OptedOut,
    /// Not even tried, and why.
    Failed(&'a str),
}

/// What is to become of an entry.
pub struct Ask<'a> {
    pub entry: Entry<'a>,
    /// It is to be sent, in these words; or nothing is, and why.
    pub plan: Result<&'a Said, Ending<'a>>,
}

/// What an asked for entry is.
pub enum Claim {
    /// Ours, at the try of this number: from one.
    Ours(i32),
    /// Another host's, or that of one that died not long ago.
    Held,
    /// Come to its end, and whether that was a failure. Of ours: its address is suppressed.
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
    /// given back, or its claimer has died. Where nothing is to be sent that is kept in the same cases.
    pub async fn claim(&self, asks: &[Ask<'_>]) -> Result<Vec<Claim>, database::Error> {
        const CLAIM: &str = include_str!("claim.sql");
        let Some(first) = asks.first() else {
            return Ok(Vec::new());
        };
        let texts = |of: fn(&Ask<'_>) -> Option<String>| {
            ParameterValue::ArrayStr(asks.iter().map(of).collect())
        };
        let versions = asks
            .iter()
            .map(|ask| ask.plan.ok().and_then(|said| said.version));
        let parameters = vec![
            database::text(first.entry.event_id),
            database::uuid(first.entry.booking.booking_id),
            database::text(&first.entry.booking.tenant_id),
            ParameterValue::Int64(CLAIM_AGE_MAX.as_secs()),
            texts(|ask| Some(ask.entry.notice.recipient.id.to_string())),
            texts(|ask| Some(ask.entry.notice.channel.name().to_owned())),
            texts(|ask| Some(ask.entry.notice.recipient.audience.name().to_owned())),
            texts(|ask| Some(ask.entry.notice.template.clone())),
            texts(|ask| Some(ask.entry.notice.recipient.locale.to_string())),
            texts(|ask| Some(ask.status().to_owned())),
            texts(|ask| ask.reason()),
            texts(|ask| ask.plan.ok().and_then(|said| said.tenant.clone())),
            texts(|ask| ask.plan.ok().map(|said| said.locale.clone())),
            ParameterValue::ArrayInt32(versions.collect()),
            texts(|ask| ask.plan.ok().map(|said| said.input_hash.clone())),
            texts(|ask| ask.entry.notice.address_key()),
        ];
        let rows = self.database.rows(CLAIM, parameters).await?;
        let mut claims = Vec::with_capacity(asks.len());
        for ask in asks {
            let row = row_of(&rows, ask.entry.notice)?;
            claims.push(row.map_or(Ok(Claim::Held), claimed)?);
        }
        Ok(claims)
    }

    /// Those that the providers took, at the tries of these numbers, as one.
    ///
    /// As everything below, of claims that were ours at those tries: not of one that somebody else made since,
    /// because we seemed dead.
    pub async fn sent(&self, sent: &[(Entry<'_>, i32, Receipt)]) -> Result<(), database::Error> {
        const SENT: &str = "
            update deliveries as held set
                status = 'sent',
                provider = sent.provider,
                provider_id = sent.provider_id,
                reason = null,
                updated_at = now()
            from jsonb_to_recordset($2::jsonb) as sent (
                recipient text, channel text, attempts int, provider text, provider_id text
            )
            where held.event_id = $1::text
                and held.recipient = sent.recipient
                and held.channel = sent.channel
                and held.status = 'sending'
                and held.attempts = sent.attempts";
        #[derive(Serialize)]
        struct Sent<'a> {
            recipient: Uuid,
            channel: &'static str,
            attempts: i32,
            provider: &'a str,
            provider_id: &'a str,
        }
        let Some((first, ..)) = sent.first() else {
            return Ok(());
        };
        let noted = sent.iter().map(|(entry, attempts, receipt)| Sent {
            recipient: entry.notice.recipient.id,
            channel: entry.notice.channel.name(),
            attempts: *attempts,
            provider: &receipt.provider,
            provider_id: &receipt.provider_id,
        });
        let mut noted: Vec<_> = noted.collect();
        // In the order in which they are claimed.
        noted.sort_by_key(|sent| (sent.recipient, sent.channel));
        let parameters = vec![database::text(first.event_id), database::json(&noted)];
        self.database.execute(SENT, parameters).await.map(|_| ())
    }

    pub async fn failed(
        &self,
        entry: &Entry<'_>,
        attempts: i32,
        reason: &str,
    ) -> Result<(), database::Error> {
        let null = || ParameterValue::DbNull;
        let how = [null(), null(), database::text(reason)];
        self.end(entry, attempts, "failed", how).await
    }

    /// Where it was too much at once: the channel did not try, so that counts as no try either.
    pub async fn put_off(&self, entry: &Entry<'_>, attempts: i32) -> Result<(), database::Error> {
        const PUT_OFF: &str = "
            update deliveries set
                status = 'waiting',
                reason = 'throttled',
                attempts = greatest(attempts - 1, 0),
                updated_at = now()
            where event_id = $1::text
                and recipient = $2::text
                and channel = $3::text
                and status = 'sending'
                and attempts = $4::int";
        let mut parameters = key(entry);
        parameters.push(ParameterValue::Int32(attempts));
        self.database.execute(PUT_OFF, parameters).await.map(|_| ())
    }

    /// The provider says that the address will never work.
    pub async fn refused(
        &self,
        entry: &Entry<'_>,
        attempts: i32,
        address: &str,
        why: &str,
    ) -> Result<(), database::Error> {
        let channel = entry.notice.channel;
        suppressed::add(self.database, channel, address, Reason::Refused).await?;
        let reason = format!("bad address: {why}");
        self.failed(entry, attempts, &reason).await
    }

    /// After the try of that number, where the channel was unavailable.
    pub async fn give(&self, entry: &Entry<'_>, attempts: i32) -> Result<Given, database::Error> {
        let others_get_through = self.others_get_through(entry).await?;
        if notice::is_given_up(attempts, others_get_through) {
            let reason = format!("unavailable at {attempts} tries");
            self.failed(entry, attempts, &reason).await?;
            return Ok(Given::Up);
        }
        let null = || ParameterValue::DbNull;
        let how = [null(), null(), database::text("unavailable")];
        self.end(entry, attempts, "waiting", how).await?;
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

    /// `how`: the provider, its id of the message, and the reason.
    async fn end(
        &self,
        entry: &Entry<'_>,
        attempts: i32,
        status: &str,
        how: [ParameterValue; 3],
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
                and channel = $3::text
                and status = 'sending'
                and attempts = $8::int";
        let mut parameters = key(entry);
        parameters.push(database::text(status));
        parameters.extend(how);
        parameters.push(ParameterValue::Int32(attempts));
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

impl Ask<'_> {
    fn status(&self) -> &'static str {
        match self.plan {
            Ok(_) => "sending",
            Err(Ending::NoAddress) => "no-address",
            Err(Ending::TooOld) => "too-old",
            Err(Ending::OptedOut) => "opted-out",
            Err(Ending::Failed(_)) => "failed",
        }
    }

    fn reason(&self) -> Option<String> {
        match self.plan {
            Err(Ending::Failed(reason)) => Some(reason.to_owned()),
            Ok(_) | Err(Ending::NoAddress | Ending::TooOld | Ending::OptedOut) => None,
        }
    }
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
    let status: String = row.get("status")?;
    if row.get("is_ours")? && status != SUPPRESSED {
        return Ok(Claim::Ours(row.get("attempts")?));
    }
    Ok(match &status[..] {
        "sending" | "waiting" => Claim::Held,
        status => Claim::Ended {
            failed: status == "failed",
        },
    })
}
