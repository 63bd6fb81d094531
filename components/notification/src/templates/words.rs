//! A notice in words: of the version that was chosen, or of the next one that can speak.

use jiff::Timestamp;
use praxis_domain::locale::Locale;
use praxis_domain::notice::{self, BadTime, Notice, Story};
use praxis_domain::template::{self, Key, Kind, builtin};
use praxis_platform::database::{self, Database};
use praxis_platform::events::Failure;

use super::choice::{Choice, Chosen};
use super::renderer::{self, Failed, Input, Source};
use super::{failures, state};
use crate::message::Message;

/// A message, and why it says what it says.
pub struct Words {
    pub message: Message,
    pub said: Said,
}

/// Who spoke, and what it was given.
pub struct Said {
    /// None: the built-in words.
    pub tenant: Option<String>,
    pub locale: String,
    pub version: Option<i32>,
    /// SHA-256 of the view, in hexadecimal.
    pub input_hash: String,
}

/// An event to be put into words.
pub struct Telling<'a> {
    pub event_id: &'a str,
    /// The same at every try.
    pub happened: Timestamp,
    pub story: Story<'a>,
    pub choice: &'a Choice,
}

/// A version that may speak.
struct Speaker {
    locale: Locale,
    version: i32,
    source: Source,
}

/// The words for a notice. A template that fails is on record, and another one speaks: the inner error
/// is a mistake in the built-in one, which is ours to mend.
pub async fn find(
    database: &Database,
    telling: &Telling<'_>,
    notice: &Notice<'_>,
) -> Result<Result<Words, String>, Failure> {
    if let Some(chosen) = telling.choice.for_notice(notice) {
        let key = chosen.key(telling.story.occasion, notice);
        let mut speaker = Some(Speaker::chosen(chosen));
        let mut others = chosen.others.iter();
        while let Some(next) = speaker {
            match said_by(telling, notice, &key, &next).await? {
                Ok(words) => return Ok(Ok(words)),
                Err(failed) => {
                    let tenant = &telling.choice.tenant;
                    let detail = failed.to_string();
                    failures::record(
                        database,
                        tenant,
                        &key,
                        next.version,
                        telling.event_id,
                        &detail,
                    )
                    .await?;
                }
            }
            speaker = match others.next() {
                Some(version) => Speaker::load(database, telling, &key, *version).await?,
                None => None,
            };
        }
    }
    builtin_words(telling, notice).await
}

async fn builtin_words(
    telling: &Telling<'_>,
    notice: &Notice<'_>,
) -> Result<Result<Words, String>, Failure> {
    let wanted = &notice.recipient.locale;
    let locale = builtin::locale_for(wanted);
    let key = Key {
        occasion: telling.story.occasion,
        audience: notice.recipient.audience,
        channel: notice.channel,
        locale: locale.clone(),
    };
    let input = input(telling, notice, &locale)?;
    let said = Said {
        tenant: None,
        locale: locale.to_string(),
        version: None,
        input_hash: template::digest(input.json.as_bytes()),
    };
    let message = renderer::render(&telling.choice.tenant, &key, &Source::Builtin, &input).await;
    match tried(message)? {
        Ok(message) => Ok(Ok(Words {
            message: Message::of(notice.channel, message),
            said,
        })),
        // That is said of the words themselves, and always will be.
        Err(Failed::Mistakes(mistakes)) => {
            let failed = Failed::Mistakes(mistakes);
            let what = format!("could not render {}: {failed}", notice.template);
            Ok(Err(what))
        }
        // Ours do not break: something of the host is missing, or too slow. No message is lost for that.
        Err(failed) => Err(Failure::Retry(format!(
            "could not render {}: {failed}",
            notice.template
        ))),
    }
}

async fn said_by(
    telling: &Telling<'_>,
    notice: &Notice<'_>,
    key: &Key,
    speaker: &Speaker,
) -> Result<Result<Words, Failed>, Failure> {
    let tenant = &telling.choice.tenant;
    let input = input(telling, notice, &speaker.locale)?;
    let message = renderer::render(tenant, key, &speaker.source, &input).await;
    Ok(tried(message)?.map(|message| Words {
        message: Message::of(notice.channel, message),
        said: Said {
            tenant: Some(tenant.clone()),
            locale: speaker.locale.to_string(),
            version: Some(speaker.version),
            input_hash: template::digest(input.json.as_bytes()),
        },
    }))
}

/// What fails because of the host is tried again; it is no fault of the template.
fn tried<T>(rendered: Result<T, Failed>) -> Result<Result<T, Failed>, Failure> {
    match rendered {
        Err(Failed::Unavailable) => Err(Failure::Retry("the renderer is unavailable".to_owned())),
        other => Ok(other),
    }
}

fn input(telling: &Telling<'_>, notice: &Notice<'_>, template: &Locale) -> Result<Input, Failure> {
    let locale = template::spoken(&notice.recipient.locale, template);
    let view = notice::view(&telling.story, notice.recipient, notice.channel, locale)
        .map_err(|error| odd(&telling.story, &error))?;
    Ok(Input::of(&view))
}

/// An event whose times are none.
pub fn odd(story: &Story<'_>, error: &BadTime) -> Failure {
    let id = story.booking.booking_id;
    Failure::Reject(format!("the time of {id} is odd: {error}"))
}

impl Speaker {
    fn chosen(chosen: &Chosen) -> Self {
        Self {
            locale: Locale::or_default(Some(&chosen.locale)),
            version: chosen.version,
            source: Source::of(chosen.kind, chosen.compiled.clone(), chosen.digest.clone()),
        }
    }

    async fn load(
        database: &Database,
        telling: &Telling<'_>,
        key: &Key,
        version: i32,
    ) -> Result<Option<Self>, database::Error> {
        const VERSION: &str = "
            select kind, compiled, digest
            from template_versions
            where tenant_id = $1::text
                and event = $2::text
                and audience = $3::text
                and channel = $4::text
                and locale = $5::text
                and version = $6::int";
        let mut parameters = state::key_parameters(&telling.choice.tenant, key);
        parameters.push(database::ParameterValue::Int32(version));
        let Some(row) = database.row(VERSION, parameters).await? else {
            return Ok(None);
        };
        let kind: Kind = row.parse("kind")?;
        Ok(Some(Self {
            locale: key.locale.clone(),
            version,
            source: Source::of(kind, row.get("compiled")?, row.get("digest")?),
        }))
    }
}
