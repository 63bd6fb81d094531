//! A practitioner's profile and hours, as somebody puts them into the directory.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::{Uuid, uuid};

use crate::FieldError;
use crate::schedule::{DAYS_PER_WEEK, Schedule};
use crate::zone::Zone;

mod fields;
mod hours;
mod language;
mod lines;
mod specialty;

use fields::{Fields, Limits};
pub use hours::{EXCEPTIONS_MAX, HOLIDAYS_MAX, LEAVE_MAX, PERIODS_MAX};
pub use language::{LANGUAGES_MAX, Language};
pub use lines::{Line, Lines};
pub use specialty::Specialty;

/// One practitioner as JSON: the body of a PUT, a line of an import.
pub const PRACTITIONER_BYTES_MAX: usize = 64 * 1024;

pub const RATING_MAX: f64 = 5.0;

const NAME_CHARS_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 400;
const EMAIL_BYTES_MAX: usize = 254;
const SUBJECT_CHARS_MAX: usize = 255;
const TENANT_BYTES_MAX: usize = 63;
const LOCALE_BYTES_MAX: usize = 35;
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The names of the field `hours`, Monday first.
pub const WEEKDAYS: [&str; DAYS_PER_WEEK] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const FIELDS: [&str; 26] = [
    "practitioner_id",
    "tenant",
    "person_id",
    "subject",
    "name",
    "specialty",
    "practice",
    "address",
    "city",
    "country",
    "location",
    "time_zone",
    "rating",
    "languages",
    "telehealth",
    "email",
    "phone",
    "locale",
    "active",
    "hours",
    "periods",
    "holidays",
    "exceptions",
    "leave",
    "lead_minutes",
    "horizon_days",
];

/// Practitioners that come without an id get one from this name space.
const NAMESPACE: Uuid = uuid!("c1c2c4b8-0e0c-5f0b-93d7-52e0a1f6b7d4");

/// Who edits the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Editor {
    /// Any tenant's practitioners.
    Operator,
    /// The tenant's own practitioners.
    Staff { tenant: String },
}

impl Editor {
    /// Whether practitioners of this tenant are theirs to see and change.
    pub fn may_edit(&self, tenant: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::Staff { tenant: own } => own == tenant,
        }
    }
}

/// A practitioner, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Practitioner {
    pub id: Uuid,
    pub tenant: String,
    /// Who they are, where they work at several places: one practitioner a place.
    pub person: Option<Uuid>,
    /// The `sub` of their own token.
    pub subject: Option<String>,
    pub name: String,
    pub specialty: Specialty,
    pub practice: String,
    pub address: String,
    pub city: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub lat: f64,
    pub lon: f64,
    /// 0: not rated.
    pub rating: f64,
    /// That they speak.
    pub languages: BTreeSet<Language>,
    /// Whether they also see people by video or telephone.
    pub telehealth: bool,
    pub email: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// BCP 47.
    pub locale: String,
    pub active: bool,
    pub schedule: Schedule,
}

impl Practitioner {
    /// Reads the JSON of one practitioner; every field that is wrong is named.
    ///
    /// `id` is the one that the address names, if it names one. Without any, the id follows from
    /// who and where the practitioner is, so that the same line twice is the same practitioner.
    pub fn parse(json: &[u8], id: Option<Uuid>, editor: &Editor) -> Result<Self, Vec<FieldError>> {
        if json.len() > PRACTITIONER_BYTES_MAX {
            let detail = format!("must have {PRACTITIONER_BYTES_MAX} bytes at most");
            return Err(vec![FieldError::new("", detail)]);
        }
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| vec![FieldError::new("", format!("must be JSON: {error}"))])?;
        let Value::Object(map) = value else {
            return Err(vec![FieldError::new("", "must be a JSON object")]);
        };
        let mut fields = Fields::new(map, &FIELDS);
        let practitioner = read(&mut fields, id, editor);
        match (practitioner, fields.into_errors()) {
            (Some(practitioner), errors) if errors.is_empty() => Ok(practitioner),
            (_, errors) => Err(errors),
        }
    }
}

/// None only where an error was noted.
fn read(fields: &mut Fields, id: Option<Uuid>, editor: &Editor) -> Option<Practitioner> {
    let own_id = fields.parsed("practitioner_id", "must be a UUID", |text| {
        text.parse().ok()
    });
    if let (Some(named), Some(own)) = (id, own_id)
        && named != own
    {
        fields.error("practitioner_id", "must be the id in the address");
    }
    let tenant = tenant(fields, editor);
    let person = fields.parsed("person_id", "must be a UUID", |text| text.parse().ok());
    let subject = fields.optional_text("subject", Limits::chars(1, SUBJECT_CHARS_MAX));
    let name = fields.text("name", Limits::chars(1, NAME_CHARS_MAX));
    let specialty = specialty(fields);
    let practice = text(fields, "practice");
    let address = text(fields, "address");
    let city = text(fields, "city");
    let country = country(fields);
    let location = location(fields);
    let zone = zone(fields);
    let rating = fields.number("rating", 0.0, RATING_MAX);
    let languages = language::languages(fields);
    let telehealth = fields.flag("telehealth");
    let email = fields.parsed("email", "must be an e-mail address", email);
    let phone = fields.parsed(
        "phone",
        "must be an E.164 number, like +442079460000",
        phone,
    );
    let locale = fields.parsed("locale", "must be a BCP 47 tag, like en or pt-PT", locale);
    let active = fields.flag("active");
    let schedule = schedule(fields, zone);

    let (tenant, name, specialty) = (tenant?, name?, specialty?);
    let (lat, lon) = location?;
    let id = id
        .or(own_id)
        .unwrap_or_else(|| derived_id(&[&tenant, &name, specialty.key(), &practice, &address]));
    Some(Practitioner {
        id,
        tenant,
        person,
        subject,
        name,
        specialty,
        practice,
        address,
        city,
        country: country?,
        lat,
        lon,
        rating: rating.unwrap_or(0.0),
        languages: languages?,
        telehealth: telehealth.unwrap_or(false),
        email,
        phone,
        locale: locale.unwrap_or_else(|| "en".to_owned()),
        active: active.unwrap_or(true),
        schedule: schedule?,
    })
}

fn derived_id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\n").as_bytes())
}

fn tenant(fields: &mut Fields, editor: &Editor) -> Option<String> {
    let given = fields.parsed(
        "tenant",
        "must be 1 to 63 lower-case letters, digits and hyphens",
        |text| is_tenant(text).then(|| text.to_owned()),
    );
    match editor {
        Editor::Operator if given.is_none() && !fields.is_wrong("tenant") => {
            fields.error("tenant", "is missing");
            None
        }
        Editor::Operator => given,
        Editor::Staff { tenant } if given.as_ref().is_some_and(|given| given != tenant) => {
            fields.error("tenant", "must be your own tenant");
            None
        }
        Editor::Staff { tenant } => Some(tenant.clone()),
    }
}

fn is_tenant(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=TENANT_BYTES_MAX).contains(&text.len())
        && plain(text.as_bytes()[0])
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
}

fn text(fields: &mut Fields, name: &str) -> String {
    fields
        .optional_text(name, Limits::chars(0, TEXT_CHARS_MAX))
        .unwrap_or_default()
}

fn specialty(fields: &mut Fields) -> Option<Specialty> {
    let key = fields.text("specialty", Limits::chars(1, NAME_CHARS_MAX))?;
    let specialty = Specialty::parse(&key);
    if specialty.is_none() {
        fields.error("specialty", "is not one of those at /v1/specialties");
    }
    specialty
}

fn country(fields: &mut Fields) -> Option<String> {
    let country = fields.text("country", Limits::chars(1, NAME_CHARS_MAX))?;
    if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Some(country);
    }
    fields.error("country", "must be an ISO 3166-1 alpha-2 code, like DE");
    None
}

fn location(fields: &mut Fields) -> Option<(f64, f64)> {
    let mut location = fields.object("location", &["lat", "lon"])?;
    let lat = location.required_number("lat", -90.0, 90.0);
    let lon = location.required_number("lon", -180.0, 180.0);
    fields.adopt("location", location);
    Some((lat?, lon?))
}

fn schedule(fields: &mut Fields, zone: Option<Zone>) -> Option<Schedule> {
    let week = hours::week(fields);
    let periods = hours::periods(fields);
    let holidays = hours::holidays(fields);
    let exceptions = hours::exceptions(fields);
    let leave = hours::leave(fields);
    let terms = hours::terms(fields);
    Some(Schedule {
        zone: zone?,
        week: week?,
        periods: periods?,
        holidays: holidays?,
        exceptions: exceptions?,
        leave: leave?,
        terms: terms?,
    })
}

fn zone(fields: &mut Fields) -> Option<Zone> {
    let name = fields.text("time_zone", Limits::chars(1, NAME_CHARS_MAX))?;
    match Zone::parse(&name) {
        Ok(zone) => Some(zone),
        Err(_) => {
            fields.error("time_zone", "must be an IANA time zone, like Europe/Berlin");
            None
        }
    }
}

fn email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let clean = text.len() <= EMAIL_BYTES_MAX
        && !text.contains(|letter: char| letter.is_whitespace() || letter.is_control())
        && !text.contains(['<', '>', ',', ';', '"'])
        && !local.is_empty()
        && !local.contains('@')
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.');
    clean.then(|| text.to_owned())
}

fn phone(text: &str) -> Option<String> {
    let digits = text.strip_prefix('+')?;
    let plain = PHONE_DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    plain.then(|| text.to_owned())
}

fn locale(text: &str) -> Option<String> {
    let mut tags = text.split('-');
    let language = tags.next()?;
    let plain = text.len() <= LOCALE_BYTES_MAX
        && (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && tags.all(|tag| {
            (1..=8).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    plain.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
