//! `POST …/versions/{n}/preview`: what a version would say, before it says it to anybody.

use praxis_domain::locale::Locale;
use praxis_domain::notice::Audience;
use praxis_domain::template::sample::{self, Sample};
use praxis_domain::template::{Key, Kind, builtin, candidates, spoken};
use praxis_platform::database::{self, Database};
use praxis_platform::problem::Problem;
use praxis_platform::request::{self, Request};
use praxis_platform::response::{self, Response};
use praxis_platform::template::Message;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use spin_sdk::http::StatusCode;
use spin_sdk::variables;

use super::diff;
use super::renderer::{self, Failed, Input, Mistake, Source};
use super::state::State;
use super::versions::{self, Version};
use crate::tell::PUBLIC_URL_VARIABLE;
use crate::tenants::Tenant;

/// Each is rendered for both audiences.
const LOCALES_MAX: usize = 20;
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the template is tried on: the samples, where no view is given.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    view: Option<Map<String, Value>>,
    locale: Option<String>,
}

/// One message as it would be.
#[derive(Serialize)]
struct Item {
    locale: Locale,
    audience: &'static str,
    sample: &'static str,
    /// Who speaks: a version of the tenant's, or none where the built-in words do.
    speaks: Option<Speaks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Shown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
}

#[derive(Clone, Serialize)]
struct Speaks {
    locale: Locale,
    version: i32,
}

#[derive(Serialize)]
struct Shown {
    subject: Option<String>,
    text: String,
    html: Option<String>,
}

/// What a preview is made with.
struct Stage<'a> {
    tenant: &'a Tenant,
    key: &'a Key,
    public_url: String,
}

pub async fn preview(
    database: &Database,
    request: Request,
    tenant: &Tenant,
    key: &Key,
    version: i32,
    all_locales: bool,
) -> Result<Response, Problem> {
    let wanted = wanted(request).await?;
    let draft = versions::found(database, &tenant.id, key, version).await?;
    let stage = Stage {
        tenant,
        key,
        public_url: public_url().await?,
    };
    let items = match all_locales {
        true => stage.everybody(database, &draft).await?,
        false => stage.samples(&draft, wanted).await?,
    };
    let diff = stage.diff(database, &draft).await?;
    let body = json!({ "items": items, "diff": diff });
    Ok(response::json(StatusCode::OK, &body))
}

async fn wanted(request: Request) -> Result<Wanted, Problem> {
    let body = request.bytes(BODY_BYTES_MAX).await?;
    if body.trim_ascii().is_empty() {
        return Ok(Wanted::default());
    }
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Problem::bad_request("the body must be a JSON object"));
    }
    request::from_json(&body)
}

/// Where patients see their bookings.
pub async fn public_url() -> Result<String, Problem> {
    variables::get(PUBLIC_URL_VARIABLE)
        .await
        .map_err(|error| Problem::internal(&format!("variable {PUBLIC_URL_VARIABLE}: {error}")))
}

impl Stage<'_> {
    /// The draft alone: on the samples, or on what is given.
    async fn samples(&self, draft: &Version, wanted: Wanted) -> Result<Vec<Item>, Problem> {
        let locale = match &wanted.locale {
            None => self.key.locale.clone(),
            Some(tag) => {
                Locale::parse(tag).map_err(|error| Problem::field("/locale", error.to_string()))?
            }
        };
        let inputs = match wanted.view {
            Some(view) => vec![("given", given(&locale, view))],
            None => Sample::ALL
                .into_iter()
                .map(|sample| (name(sample), self.input(sample, self.key.audience, &locale)))
                .collect(),
        };
        let speaks = Speaks {
            locale: self.key.locale.clone(),
            version: draft.about.version,
        };
        let mut items = Vec::new();
        for (sample, input) in inputs {
            let rendered = self.render(self.key, &draft.to_render(), &input).await;
            let item = Item {
                locale: locale.clone(),
                audience: self.key.audience.name(),
                sample,
                speaks: Some(speaks.clone()),
                message: None,
                errors: Vec::new(),
            };
            items.push(item.with(rendered)?);
        }
        Ok(items)
    }

    /// What everybody would be told if the draft were published: in every language that there are words
    /// in, the patient and the practitioner.
    async fn everybody(&self, database: &Database, draft: &Version) -> Result<Vec<Item>, Problem> {
        let mut speakers = published(database, self.tenant, self.key).await?;
        speakers.retain(|speaker| speaker.key != *self.key);
        speakers.push(Speaker {
            key: self.key.clone(),
            version: draft.about.version,
            source: draft.to_render(),
        });
        let mut items = Vec::new();
        for audience in Audience::ALL {
            for locale in self.locales(&speakers) {
                let told = Key::new(self.key.occasion, audience, self.key.channel, locale);
                if let Some(told) = told {
                    items.push(self.told(&speakers, &told).await?);
                }
            }
        }
        Ok(items)
    }

    fn locales(&self, speakers: &[Speaker]) -> Vec<Locale> {
        let own = speakers.iter().map(|speaker| speaker.key.locale.clone());
        let mut locales = Vec::new();
        let all = [self.key.locale.clone(), self.tenant.default_locale.clone()];
        for locale in all.into_iter().chain(builtin::locales()).chain(own) {
            if !locales.contains(&locale) && locales.len() < LOCALES_MAX {
                locales.push(locale);
            }
        }
        locales
    }

    /// As `templates/choice.sql` chooses.
    async fn told(&self, speakers: &[Speaker], told: &Key) -> Result<Item, Problem> {
        let candidates = candidates(&told.locale, &self.tenant.default_locale);
        let chosen = candidates.into_iter().find_map(|locale| {
            let key = told.in_locale(locale);
            speakers.iter().find(|speaker| speaker.key == key)
        });
        let (key, source) = match chosen {
            Some(speaker) => (speaker.key.clone(), speaker.source.clone()),
            None => {
                let locale = builtin::locale_for(&told.locale);
                (told.in_locale(locale), Source::Builtin)
            }
        };
        let locale = spoken(&told.locale, &key.locale);
        let input = self.input(Sample::Full, told.audience, locale);
        let rendered = self.render(&key, &source, &input).await;
        let item = Item {
            locale: told.locale.clone(),
            audience: told.audience.name(),
            sample: name(Sample::Full),
            speaks: chosen.map(|speaker| Speaks {
                locale: speaker.key.locale.clone(),
                version: speaker.version,
            }),
            message: None,
            errors: Vec::new(),
        };
        item.with(rendered)
    }

    /// What is different from what speaks now.
    async fn diff(&self, database: &Database, draft: &Version) -> Result<Value, Problem> {
        let id = &self.tenant.id;
        let state = State::load(database, id, self.key).await?;
        let published = match state.and_then(|state| state.published) {
            Some(version) => versions::load(database, id, self.key, version).await?,
            None => None,
        };
        let (against, source, speaks) = match published {
            Some(version) => (
                json!(version.about.version),
                version.to_render(),
                version.source,
            ),
            None => (
                json!("built-in"),
                Source::Builtin,
                Some(builtin::source(self.key)),
            ),
        };
        let input = self.input(Sample::Full, self.key.audience, &self.key.locale);
        let before = self.render(self.key, &source, &input).await;
        let after = self.render(self.key, &draft.to_render(), &input).await;
        Ok(json!({
            "against": against,
            "source": speaks
                .zip(draft.source.as_ref())
                .map(|(before, after)| diff::of_texts(&before, after)),
            "message": before
                .ok()
                .zip(after.ok())
                .map(|(before, after)| diff::of_messages(&before, &after)),
        }))
    }

    fn input(&self, sample: Sample, audience: Audience, locale: &Locale) -> Input {
        let key = Key {
            audience,
            locale: locale.clone(),
            ..self.key.clone()
        };
        let brand = self.tenant.brand();
        Input::of(&sample::view(sample, &key, &brand, &self.public_url))
    }

    async fn render(&self, key: &Key, source: &Source, input: &Input) -> Result<Message, Failed> {
        renderer::render(&self.tenant.id, key, source, input).await
    }
}

impl Item {
    fn with(mut self, rendered: Result<Message, Failed>) -> Result<Self, Problem> {
        match rendered {
            Ok(message) => {
                self.message = Some(Shown {
                    subject: message.subject,
                    text: message.text,
                    html: message.html,
                });
            }
            Err(failed) => self.errors = failed.mistakes()?,
        }
        Ok(self)
    }
}

fn given(locale: &Locale, view: Map<String, Value>) -> Input {
    Input {
        locale: locale.to_string(),
        json: Value::Object(view).to_string(),
    }
}

fn name(sample: Sample) -> &'static str {
    match sample {
        Sample::Full => "full",
        Sample::Bare => "bare",
    }
}

/// A published version.
struct Speaker {
    key: Key,
    version: i32,
    source: Source,
}

/// Of the same event and channel: all languages, both audiences.
async fn published(
    database: &Database,
    tenant: &Tenant,
    key: &Key,
) -> Result<Vec<Speaker>, database::Error> {
    const PUBLISHED: &str = "
        select
            templates.audience,
            templates.locale,
            template_versions.version,
            template_versions.kind,
            template_versions.compiled,
            template_versions.digest
        from templates
        join template_versions
            on template_versions.tenant_id = templates.tenant_id
            and template_versions.event = templates.event
            and template_versions.audience = templates.audience
            and template_versions.channel = templates.channel
            and template_versions.locale = templates.locale
            and template_versions.version = templates.published
        where templates.tenant_id = $1::text
            and templates.event = $2::text
            and templates.channel = $3::text
        order by templates.audience, templates.locale
        limit 40";
    let parameters = vec![
        database::text(&tenant.id),
        database::text(key.occasion.name()),
        database::text(key.channel.name()),
    ];
    let rows = database.rows(PUBLISHED, parameters).await?;
    let mut speakers = Vec::new();
    for row in rows {
        let audience: String = row.get("audience")?;
        let locale: String = row.get("locale")?;
        let kind: Kind = row.parse("kind")?;
        let source = Source::of(kind, row.get("compiled")?, row.get("digest")?);
        let audience = Audience::parse(&audience).unwrap_or(key.audience);
        speakers.push(Speaker {
            key: Key {
                audience,
                locale: Locale::or_default(Some(&locale)),
                ..key.clone()
            },
            version: row.get("version")?,
            source,
        });
    }
    Ok(speakers)
}
