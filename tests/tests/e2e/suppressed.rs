//! Addresses that are not written to any more, and who may say so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use praxis_servers::moto;
use praxis_tests::api::http_client;
use praxis_tests::eventually::{SOON, ensure};
use praxis_tests::{Practitioner, Services, World, eventually, mail, place};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;

const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:bounces";

#[tokio::test]
async fn an_address_on_the_list_is_left_out_until_it_is_lifted() {
    let world = World::start(Services::Embedded).await;
    let practitioner = Practitioner::in_berlin("Listed");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    let address = "alice@patients.example";
    suppress(&world.database, address).await;

    alice.book(practitioner.id, &slots[0]).await.expect(201);
    mail::wait_for(&alice, &practitioner.email, 1).await;
    eventually(SOON, "the ledger says why", async || {
        let statuses = statuses(&world.database).await;
        ensure(statuses == ["suppressed"], format!("{statuses:?}"))
    })
    .await;
    assert!(mail::to(&alice, address).await.is_empty());

    let lift = "/v1/ops/suppressions:lift";
    let body = json!({ "channel": "email", "address": "Alice <ALICE@patients.example>" });
    world
        .api()
        .post(lift, &body)
        .await
        .expect(401)
        .check_problem();
    for stranger in [world.api().staff("clinic").await, alice.clone()] {
        stranger.post(lift, &body).await.expect(403).check_problem();
    }
    let operator = world.api().operator().await;
    let odd = json!({ "channel": "letter", "address": address });
    operator.post(lift, &odd).await.expect(400).check_problem();
    operator.post(lift, &body).await.expect(204);
    operator.post(lift, &body).await.expect(204);

    alice.book(practitioner.id, &slots[1]).await.expect(201);
    mail::wait_for(&alice, address, 1).await;
    world.settle().await;
}

#[tokio::test]
async fn what_ses_reports_is_in_the_ledger_and_the_address_is_left_out() {
    let folder = TempDir::new().unwrap();
    let python = place::tool("../venv/bin/python");
    let amazon = moto::start(&python, folder.path()).await.unwrap();
    verify(&amazon.url(), "no-reply@praxis.example").await;
    let authority = folder.path().join("authority.pem");
    let mut signer = Signer::start(&folder.path().join("signer.pem"), &authority);
    let settings = [
        ("SES_REGION", "eu-central-1".to_owned()),
        ("SES_ENDPOINT_URL", amazon.url()),
        ("AWS_ACCESS_KEY_ID", "who".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "hush".to_owned()),
        ("MAIL_FROM", "no-reply@praxis.example".to_owned()),
        ("SNS_FEEDBACK_TOPICS", TOPIC.to_owned()),
        ("SNS_CERTIFICATE_HOST", signer.address.clone()),
        ("PRAXIS_OUTBOUND_CA", authority.display().to_string()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let world = World::start_with(Services::Embedded, settings.into()).await;
    let practitioner = Practitioner::in_berlin("Reported");
    world.import(&[&practitioner]).await;
    let alice = world.api().patient("alice").await;
    let (slots, _) = practitioner.free_slots(&alice).await;
    alice.book(practitioner.id, &slots[0]).await.expect(201);
    eventually(SOON, "SES took the mail", async || {
        let statuses = statuses(&world.database).await;
        ensure(statuses == ["sent"], format!("{statuses:?}"))
    })
    .await;
    let query =
        "select provider_id from deliveries where audience = 'patient' and provider = 'ses'";
    let id: String = sqlx::query_scalar(query)
        .fetch_one(&world.database)
        .await
        .unwrap();

    let told = json!({
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "NoEmail",
            "bouncedRecipients": [{ "emailAddress": "Alice@Patients.Example" }],
        },
        "mail": { "messageId": id },
    });
    let url = signer.url();
    let report = signer.sign(&message(&told, &url));
    // It comes as often as it likes.
    for _ in 0..2 {
        world
            .api()
            .post("/v1/deliveries/sns", &report)
            .await
            .expect(204);
    }
    let (status, reason): (String, String) =
        sqlx::query_as("select status, reason from deliveries where audience = 'patient'")
            .fetch_one(&world.database)
            .await
            .unwrap();
    assert_eq!((&*status, &*reason), ("bounced", "Permanent/NoEmail"));

    alice.book(practitioner.id, &slots[1]).await.expect(201);
    eventually(SOON, "the next is left out", async || {
        let statuses = statuses(&world.database).await;
        let is_so = statuses == ["bounced", "suppressed"];
        ensure(is_so, format!("{statuses:?}"))
    })
    .await;
    world.settle().await;
}

/// Lets SES know the sender as ours.
async fn verify(amazon: &str, sender: &str) {
    let authorization = "AWS4-HMAC-SHA256 \
        Credential=who/20261123/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0";
    let request = http_client()
        .post(format!("{amazon}/v2/email/identities"))
        .header("authorization", authorization)
        .json(&json!({ "EmailIdentity": sender }));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
}

/// What SES says, as SNS brings it, not signed yet.
fn message(told: &Value, certificate_url: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": told.to_string(),
        "Timestamp": "2026-11-23T00:41:19.000Z",
        "SignatureVersion": "1",
        "SigningCertURL": certificate_url,
    })
}

/// Who signs for SNS: `sign.py`.
struct Signer {
    child: Child,
    /// Where its certificate is.
    address: String,
}

impl Signer {
    fn start(certificate: &std::path::Path, authority: &std::path::Path) -> Self {
        let mut child = Command::new(place::tool("../venv/bin/python"))
            .arg(place::root().join("host/tests/delivery/sign.py"))
            .args([certificate, authority])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let address = line(&mut child);
        Self { child, address }
    }

    fn url(&self) -> String {
        format!("https://{}/sns.pem", self.address)
    }

    fn sign(&mut self, message: &Value) -> Value {
        let mut asked = self.child.stdin.as_ref().unwrap();
        writeln!(asked, "{message}").unwrap();
        serde_json::from_str(&line(&mut self.child)).unwrap()
    }
}

/// One line of what it says: it says no more than it is asked.
fn line(child: &mut Child) -> String {
    let mut line = String::new();
    let answers = child.stdout.as_mut().unwrap();
    BufReader::new(answers).read_line(&mut line).unwrap();
    line.trim().to_owned()
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn statuses(database: &PgPool) -> Vec<String> {
    let query = "select status from deliveries where audience = 'patient' order by created_at";
    let statuses = sqlx::query_scalar(query).fetch_all(database);
    statuses.await.unwrap()
}

#[tokio::test]
async fn nobody_is_believed_who_cannot_sign_for_a_topic_of_ours() {
    let world = World::start(Services::Embedded).await;
    let api = world.api();
    let path = "/v1/deliveries/sns";
    let told = json!({
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{ "emailAddress": "alice@patients.example" }],
        },
        "mail": { "messageId": "0100-abc" },
    });
    let mut forged = message(&told, "https://sns.eu-central-1.amazonaws.com/sns.pem");
    forged["Signature"] = json!("AAAA");
    api.post(path, &forged).await.expect(403).check_problem();
    api.post(path, &json!({})).await.expect(400).check_problem();
    api.get(path).await.expect(405).check_problem();
    let huge = Some("x".repeat((1 << 20) + 1));
    let answer = api.send(Method::POST, path, &[], huge).await;
    answer.expect(413).check_problem();
    let listed: i64 = sqlx::query_scalar("select count(*) from suppressed_addresses")
        .fetch_one(&world.database)
        .await
        .unwrap();
    assert_eq!(listed, 0);
}

/// Puts an address for e-mail on the list.
pub async fn suppress(database: &PgPool, address: &str) {
    sqlx::query(
        "insert into suppressed_addresses (channel, address_hash, reason)
        values ('email', sha256(convert_to($1, 'UTF8')), 'bounced')",
    )
    .bind(address)
    .execute(database)
    .await
    .unwrap();
}
