//! Who is a patient, until when, and in which version.

use chrono::{DateTime, Utc};
use praxis_tests::directory::fresh_id;
use sqlx::Row as _;
use uuid::Uuid;

use crate::erasure;
use crate::meeting::meet;
use crate::practice::Practice;

const FILL: &str = include_str!("../../../components/booking/src/sql/fill_patient.sql");
const PUT: &str = include_str!("../../../components/booking/src/sql/put_patient.sql");
const PRUNE: &str = include_str!("../../../components/booking/src/sql/prune_erasures.sql");

/// A token.
#[derive(Clone)]
struct Token {
    subject: String,
    issued: Option<i64>,
}

impl Token {
    async fn new(practice: &Practice) -> Self {
        let now: DateTime<Utc> = sqlx::query_scalar("select now()")
            .fetch_one(&practice.pool)
            .await
            .unwrap();
        Self {
            subject: fresh_id().to_string(),
            issued: Some(now.timestamp()),
        }
    }

    fn later(&self, seconds: i64) -> Self {
        Self {
            issued: self.issued.map(|issued| issued + seconds),
            ..self.clone()
        }
    }

    /// Whether the token made, or found, a patient.
    async fn introduces(&self, practice: &Practice) -> bool {
        let none: Option<&str> = None;
        let row = sqlx::query(FILL)
            .bind(fresh_id())
            .bind(&self.subject)
            .bind("Ann")
            .bind(none)
            .bind(none)
            .bind(none)
            .bind(self.issued)
            .fetch_optional(&practice.pool)
            .await
            .unwrap();
        row.is_some()
    }

    /// The version that was written, if the caller may and it was the one that they had seen.
    async fn writes(&self, practice: &Practice, seen: Option<i32>) -> (bool, Option<i64>) {
        let none: Option<&str> = None;
        let row = sqlx::query(PUT)
            .bind(fresh_id())
            .bind(&self.subject)
            .bind("Ann")
            .bind(none)
            .bind(none)
            .bind(none)
            .bind(vec!["email"])
            .bind(self.issued)
            .bind(seen)
            .fetch_one(&practice.pool)
            .await
            .unwrap();
        let patient: Option<serde_json::Value> = row.get("patient");
        let version = patient.map(|patient| patient["version"].as_i64().unwrap());
        (row.get("may"), version)
    }

    /// All of an erasure but its commit.
    async fn begin_erasure(&self, practice: &Practice) {
        for statement in erasure::statements(&self.subject) {
            statement.execute(&practice.pool).await.unwrap();
        }
    }

    async fn erase(&self, practice: &Practice) {
        let (own, _) = practice.with_one_connection().await;
        crate::practice::run(&own.pool, "begin").await;
        self.begin_erasure(&own).await;
        crate::practice::run(&own.pool, "commit").await;
    }

    async fn person(&self, practice: &Practice) -> Option<Uuid> {
        sqlx::query_scalar("select id from patients where subject = $1")
            .bind(&self.subject)
            .fetch_optional(&practice.pool)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_token_from_before_an_erasure_makes_nobody_a_person_again() {
    let practice = Practice::open(0, 0, 4).await;
    let token = Token::new(&practice).await;
    let unsaid = Token {
        issued: None,
        ..token.clone()
    };
    assert!(unsaid.introduces(&practice).await);
    token.erase(&practice).await;
    for old in [&token, &token.later(-60), &unsaid] {
        assert!(!old.introduces(&practice).await);
        assert_eq!(old.writes(&practice, None).await, (false, None));
    }
    assert_eq!(token.person(&practice).await, None);
    // Signed in again: somebody new.
    let new = token.later(60);
    assert!(new.introduces(&practice).await);
    assert!(!token.introduces(&practice).await);
    assert_eq!(token.writes(&practice, None).await, (false, None));
    // Nobody else is meant.
    assert!(Token::new(&practice).await.introduces(&practice).await);
}

#[tokio::test]
async fn who_is_erased_while_they_are_made_a_patient_is_none() {
    let practice = Practice::open(0, 0, 4).await;
    for was_there in [false, true] {
        let token = Token::new(&practice).await;
        if was_there {
            assert!(token.introduces(&practice).await);
        }
        let erasure = async |early: &Practice| token.begin_erasure(early).await;
        let introduced = async |late: &Practice| token.introduces(late).await;
        assert!(!meet(&practice, erasure, "commit", introduced).await);
        assert_eq!(token.person(&practice).await, None);

        // The other way round.
        let token = Token::new(&practice).await;
        let introduced = async |early: &Practice| assert!(token.introduces(early).await);
        // Without a transaction around it each statement of the erasure sees what was committed.
        let erasure = async |late: &Practice| token.begin_erasure(late).await;
        meet(&practice, introduced, "commit", erasure).await;
        assert_eq!(token.person(&practice).await, None);
    }
}

#[tokio::test]
async fn a_profile_is_written_over_the_version_that_was_seen() {
    let practice = Practice::open(0, 0, 4).await;
    let token = Token::new(&practice).await;
    assert_eq!(token.writes(&practice, Some(1)).await, (true, None));
    assert_eq!(token.writes(&practice, Some(0)).await, (true, Some(1)));
    assert_eq!(token.writes(&practice, Some(0)).await, (true, None));
    assert_eq!(token.writes(&practice, Some(1)).await, (true, Some(2)));
    assert_eq!(token.writes(&practice, Some(1)).await, (true, None));
    assert_eq!(token.writes(&practice, None).await, (true, Some(3)));

    // Of two at once one is made.
    let first = async |early: &Practice| {
        assert_eq!(token.writes(early, Some(3)).await, (true, Some(4)));
    };
    let second = async |late: &Practice| token.writes(late, Some(3)).await;
    let second = meet(&practice, first, "commit", second).await;
    assert_eq!(second, (true, None));
}

#[tokio::test]
async fn an_erasure_is_remembered_for_a_month() {
    let practice = Practice::open(0, 0, 2).await;
    let (old, new) = (Token::new(&practice).await, Token::new(&practice).await);
    old.erase(&practice).await;
    sqlx::query("update erasures set erased_at = now() - interval '31 days'")
        .execute(&practice.pool)
        .await
        .unwrap();
    new.erase(&practice).await;
    let dropped: i64 = sqlx::query_scalar(PRUNE)
        .bind(10)
        .fetch_one(&practice.pool)
        .await
        .unwrap();
    assert_eq!(dropped, 1);
    assert!(!new.introduces(&practice).await);
}
