//! Which of a tenant's templates speak about an event.

use praxis_domain::locale::Locale;
use praxis_domain::notice::{Notice, Occasion, Recipient};
use praxis_domain::patient::Channel;
use praxis_domain::template::{self, Key, Kind};
use praxis_domain::tenant::{Brand, Branding};
use praxis_platform::database::{self, Database, ParameterValue};
use serde::Deserialize;

/// What a tenant says about one event, to its patient and its practitioner.
pub struct Choice {
    pub tenant: String,
    pub brand: Brand,
    /// Before the address that mail comes from.
    pub sender_name: Option<String>,
    templates: Vec<Chosen>,
}

/// The version that speaks, and those that do if it can't.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    audience: String,
    channel: Channel,
    pub locale: String,
    pub version: i32,
    pub kind: Kind,
    /// Of Jinja.
    pub compiled: Option<String>,
    pub digest: String,
    /// The best first.
    pub others: Vec<i32>,
}

impl Choice {
    pub async fn load(
        database: &Database,
        tenant: &str,
        occasion: Occasion,
        event_id: &str,
        [patient, practitioner]: &[Recipient; 2],
    ) -> Result<Self, database::Error> {
        const CHOICE: &str = include_str!("choice.sql");
        let parameters = vec![
            database::text(tenant),
            database::text(occasion.name()),
            locales(patient),
            bucket(event_id, patient),
            locales(practitioner),
            bucket(event_id, practitioner),
        ];
        // Practitioners refer to their tenant: it is there.
        let row = database
            .row(CHOICE, parameters)
            .await?
            .ok_or_else(|| database::Error::Broken(format!("there is no tenant {tenant}")))?;
        let branding: Branding = row.json("branding")?;
        let name: String = row.get("name")?;
        Ok(Self {
            tenant: tenant.to_owned(),
            brand: Brand::of(&name, &branding),
            sender_name: branding.sender_name,
            templates: row.json("templates")?,
        })
    }

    pub fn for_notice(&self, notice: &Notice<'_>) -> Option<&Chosen> {
        self.templates.iter().find(|chosen| {
            chosen.audience == notice.recipient.audience.name() && chosen.channel == notice.channel
        })
    }
}

impl Chosen {
    /// What it is a version of.
    pub fn key(&self, occasion: Occasion, notice: &Notice<'_>) -> Key {
        Key {
            occasion,
            audience: notice.recipient.audience,
            channel: notice.channel,
            locale: Locale::or_default(Some(&self.locale)),
        }
    }
}

fn locales(recipient: &Recipient) -> ParameterValue {
    let candidates = recipient.locale.candidates();
    ParameterValue::ArrayStr(
        candidates
            .iter()
            .map(|locale| Some(locale.to_string()))
            .collect(),
    )
}

fn bucket(event_id: &str, recipient: &Recipient) -> ParameterValue {
    ParameterValue::Int32(template::bucket(event_id, recipient.id).into())
}
