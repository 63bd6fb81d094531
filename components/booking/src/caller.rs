//! Who asks: their claims, what they may see, who they are as a patient, and what they were
//! answered before.

use praxis_domain::{idempotency, patient};
use praxis_platform::auth::{Claims, Role};
use praxis_platform::clock;
use praxis_platform::database::{self, Database, ParameterValue, Row};
use praxis_platform::problem::Problem;
use praxis_platform::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actor::Actor;
use crate::record::{Patient, View};
use crate::{refusal, sql};

/// A request that has its effect once, however often it is sent.
pub struct Once {
    pub subject: String,
    pub key: String,
    pub request_hash: String,
}

impl Once {
    /// `operation` tells apart what is asked of different addresses.
    pub fn new(claims: &Claims, key: String, operation: &str, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).expect("our bodies are maps with text keys");
        Self {
            subject: claims.sub.clone(),
            key,
            request_hash: idempotency::request_hash(operation, &body),
        }
    }

    /// The last four parameters of a statement that keeps a receipt.
    pub fn receipt(&self, answer: &View) -> [ParameterValue; 4] {
        [
            database::text(&self.subject),
            database::text(&self.key),
            database::text(&self.request_hash),
            database::json(answer),
        ]
    }
}

/// What was answered to an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Receipt {
    request_hash: String,
    response: View,
}

/// The caller as the database knows them.
pub struct Caller {
    claims: Claims,
    patient: Option<Patient>,
    receipt: Option<Receipt>,
}

impl Caller {
    pub async fn load(
        database: &Database,
        claims: &Claims,
        once: Option<&Once>,
    ) -> Result<Self, database::Error> {
        let key = once.map(|once| once.key.as_str());
        let parameters = vec![
            database::text(&claims.sub),
            database::optional(key, database::text),
        ];
        let row = database.row(sql::CALLER, parameters).await?;
        let row = row.ok_or_else(|| database::Error::Broken("no row for the caller".into()))?;
        Self::read(claims, &row)
    }

    /// From a row with the columns of `sql::CALLER`.
    pub fn read(claims: &Claims, row: &Row) -> Result<Self, database::Error> {
        Ok(Self {
            claims: claims.clone(),
            patient: row.optional_json("patient")?,
            receipt: row.optional_json("receipt")?,
        })
    }

    /// What was answered to this request before; 422 where the key was used for another one.
    pub fn answered(&self, once: &Once) -> Result<Option<View>, Problem> {
        match &self.receipt {
            None => Ok(None),
            Some(receipt) if receipt.request_hash == once.request_hash => {
                Ok(Some(receipt.response.clone()))
            }
            Some(_) => Err(refusal::key_reused()),
        }
    }

    pub fn patient(&self) -> Option<&Patient> {
        self.patient.as_ref()
    }

    /// For whom the caller books with a practitioner: themselves, or as staff or practitioner
    /// somebody whom they name; and as whom. A first booking makes the patient from the token's claims.
    pub async fn books_for(
        &self,
        database: &Database,
        snapshot: &Snapshot,
        named: Option<Uuid>,
    ) -> Result<(Uuid, Actor), Problem> {
        match named {
            Some(patient) => {
                let actor = self.books_for_other(database, snapshot, patient).await?;
                Ok((patient, actor))
            }
            None if self.claims.is(Role::Patient) => {
                let own = self.own_patient(database).await?;
                Ok((own, Actor::patient(own)))
            }
            None => Err(Problem::field(
                "/patient_id",
                "is needed: you do not book for yourself",
            )),
        }
    }

    /// Whoever has, or had, a booking with the tenant. Of anybody else it is not told whether they are
    /// there: 404.
    async fn books_for_other(
        &self,
        database: &Database,
        snapshot: &Snapshot,
        patient: Uuid,
    ) -> Result<Actor, Problem> {
        let actor = self.as_whom(snapshot).ok_or_else(Problem::not_found)?;
        let parameters = vec![database::uuid(patient), database::text(&snapshot.tenant_id)];
        let known = database.row(sql::KNOWN_PATIENT, parameters).await?;
        known.map(|_| actor).ok_or_else(Problem::not_found)
    }

    /// As whom the caller books with a practitioner for others, if they may.
    fn as_whom(&self, snapshot: &Snapshot) -> Option<Actor> {
        if self.claims.staff_of() == Some(snapshot.tenant_id.as_str()) {
            return Some(Actor::staff(&self.claims));
        }
        let is_practitioner = self.claims.is(Role::Practitioner)
            && snapshot.subject.as_deref() == Some(self.claims.sub.as_str());
        is_practitioner.then(|| Actor::practitioner(&self.claims))
    }

    /// The caller as a patient, whom their first wish makes from the token's claims.
    ///
    /// 403 where they were erased since the token was issued: what was still under way, or an old page
    /// in a browser, makes nobody a person again who wanted to be none.
    pub async fn own_patient(&self, database: &Database) -> Result<Uuid, Problem> {
        let profile = profile(&self.claims);
        if let Some(patient) = &self.patient
            && !fills(&profile, patient)
        {
            return Ok(patient.id);
        }
        let parameters = vec![
            database::uuid(clock::new_id()),
            database::text(&self.claims.sub),
            optional_text(&profile.name),
            optional_text(&profile.email),
            optional_text(&profile.phone),
            optional_text(&profile.locale),
            issued(&self.claims),
        ];
        let row = database.row(sql::FILL_PATIENT, parameters).await?;
        let row = row.ok_or_else(refusal::erased)?;
        Ok(row.json::<Patient>("patient")?.id)
    }
}

/// What the claims tell of a patient. What could not be kept is left out.
pub fn profile(claims: &Claims) -> patient::Profile {
    let kept = |value: &Option<String>, rule: fn(&str) -> Result<(), &'static str>| {
        value.clone().filter(|value| rule(value).is_ok())
    };
    patient::Profile {
        name: kept(&claims.name, patient::check_name),
        email: kept(&claims.email, patient::check_email),
        phone: kept(&claims.phone_number, patient::check_phone),
        locale: kept(&claims.locale, patient::check_locale),
        channels: vec![patient::Channel::Email],
    }
}

/// When the token was issued, as a parameter.
pub fn issued(claims: &Claims) -> ParameterValue {
    database::optional(claims.issued(), ParameterValue::Int64)
}

/// Whether the claims hold something that the patient lacks.
fn fills(profile: &patient::Profile, patient: &Patient) -> bool {
    let fills = |claim: &Option<String>, held: &Option<String>| claim.is_some() && held.is_none();
    fills(&profile.name, &patient.name)
        || fills(&profile.email, &patient.email)
        || fills(&profile.phone, &patient.phone)
        || fills(&profile.locale, &patient.locale)
}

/// The last three parameters of `sql::VISIBLE` and `sql::list`: what the caller's roles let them see.
pub fn sees(claims: &Claims) -> [ParameterValue; 3] {
    let subject_as = |role| claims.is(role).then_some(claims.sub.as_str());
    [
        database::optional(subject_as(Role::Patient), database::text),
        database::optional(subject_as(Role::Practitioner), database::text),
        database::optional(claims.staff_of(), database::text),
    ]
}

pub fn optional_text(value: &Option<String>) -> ParameterValue {
    database::optional(value.as_ref(), database::text)
}
