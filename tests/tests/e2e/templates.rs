//! A clinic's own words: written, tried, published and taken back while everything runs.

mod access;
mod cycle;
mod fallback;
mod load;
mod worked;

use praxis_tests::{Answer, Api};
use reqwest::Method;
use serde_json::{Value, json};

/// A template of a clinic.
struct Template<'a> {
    staff: &'a Api,
    path: String,
    audience: &'static str,
}

impl<'a> Template<'a> {
    /// `path`: event, channel and locale.
    fn of(staff: &'a Api, path: &str, audience: &'static str) -> Self {
        Self {
            staff,
            path: format!("/v1/tenants/clinic/templates/{path}"),
            audience,
        }
    }

    async fn get(&self, what: &str) -> Answer {
        self.staff.get(&self.at(what)).await
    }

    async fn draft(&self, source: &str) -> Answer {
        let media = [("content-type", "text/x-jinja")];
        let source = Some(source.to_owned());
        let path = self.at("/versions");
        self.staff.send(Method::POST, &path, &media, source).await
    }

    /// A version that was drafted without mistakes.
    async fn drafted(&self, source: &str) -> i64 {
        let draft = self.draft(source).await.expect(201).json();
        draft["version"].as_i64().unwrap()
    }

    async fn post(&self, what: &str, etag: Option<&str>, body: Option<Value>) -> Answer {
        let headers: Vec<_> = etag.map(|etag| ("if-match", etag)).into_iter().collect();
        let body = body.map(|body| body.to_string());
        self.staff
            .send(Method::POST, &self.at(what), &headers, body)
            .await
    }

    async fn publish(&self, version: i64, etag: &str) -> Answer {
        self.post(&format!("/versions/{version}/publish"), Some(etag), None)
            .await
    }

    /// Published, whatever was before.
    async fn published(&self, source: &str) -> i64 {
        let version = self.drafted(source).await;
        let etag = self.get("").await.expect(200).header("etag").to_owned();
        self.publish(version, &etag).await.expect(200);
        version
    }

    fn at(&self, what: &str) -> String {
        format!("{}{what}?audience={}", self.path, self.audience)
    }
}

/// A mail that says the same in each of its parts.
fn mail_that_says(words: &str) -> String {
    format!(
        "{{% block subject %}}{words}{{% endblock %}}\n\
         {{% block text %}}{words} {{{{ view.slot.date }}}}{{% endblock %}}\n\
         {{% block html %}}<p>{words} {{{{ view.recipient_name }}}}</p>{{% endblock %}}\n"
    )
}

/// Fails for everybody but the samples.
fn mail_that_fails_at_last(words: &str) -> String {
    let trap = "{% if view.booking_id | length == 36 and view.booking_id[0:20] != \
                '00000000-0000-0000-0' %}{{ view.nothing_of_that_name }}{% endif %}";
    mail_that_says(&format!("{words}{trap}"))
}

/// Somebody of the clinic, who can be written to.
async fn author(api: &Api) -> Api {
    api.sign_in(json!({
        "sub": "author",
        "roles": ["staff"],
        "tenant": "clinic",
        "email": "author@writers.example",
    }))
    .await
}
