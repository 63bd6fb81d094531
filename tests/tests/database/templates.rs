//! Whose words are taken, and what of them can never change.

use praxis_tests::database;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

const CHOICE: &str = include_str!("../../../components/notification/src/templates/choice.sql");
const NOBODY: i32 = 99;

/// The clinic speaks French to strangers, and has these words of its own for patients' e-mail.
async fn clinic() -> PgPool {
    let pool = database::migrated(1).await;
    run(
        &pool,
        "insert into tenants (id, name, default_locale)
        values ('clinic', 'Clinic', 'fr-CH'), ('other', 'Other', 'en')",
    )
    .await
    .unwrap();
    for (tenant, locale) in [
        ("clinic", "de"),
        ("clinic", "de-AT"),
        ("clinic", "fr"),
        ("other", "it"),
    ] {
        for version in 1..=3 {
            write(&pool, tenant, locale, version).await;
        }
        let insert = format!(
            "insert into templates (tenant_id, event, audience, channel, locale, versions)
            values ('{tenant}', 'booking-created', 'patient', 'email', '{locale}', 3)"
        );
        run(&pool, &insert).await.unwrap();
        set(&pool, tenant, locale, "published = 1").await;
    }
    pool
}

async fn write(pool: &PgPool, tenant: &str, locale: &str, version: i32) {
    let digest = "0".repeat(64);
    let words = format!("{locale} {version}");
    let insert = format!(
        "insert into template_versions (tenant_id, event, audience, channel, locale, version, kind,
            source, compiled, digest, bytes, author)
        values ('{tenant}', 'booking-created', 'patient', 'email', '{locale}', {version}, 'jinja',
            '{words}', '{words}', '{digest}', 4, 'author')"
    );
    run(pool, &insert).await.unwrap();
}

async fn set(pool: &PgPool, tenant: &str, locale: &str, change: &str) {
    let update = format!(
        "update templates set {change} where tenant_id = '{tenant}' and locale = '{locale}'"
    );
    run(pool, &update).await.unwrap();
}

async fn run(pool: &PgPool, statement: &str) -> Result<u64, sqlx::Error> {
    let statement = AssertSqlSafe(statement.to_owned());
    let done = sqlx::query(statement).execute(pool).await?;
    Ok(done.rows_affected())
}

/// What the patient who wants these locales is told, and which versions are there besides.
async fn told(pool: &PgPool, tenant: &str, locales: &[&str], bucket: i32) -> (String, Value) {
    let locales: Vec<String> = locales.iter().map(|tag| (*tag).to_owned()).collect();
    let (_, _, _, templates): (String, String, Value, Value) = sqlx::query_as(CHOICE)
        .bind(tenant)
        .bind("booking-created")
        .bind(locales)
        .bind(bucket)
        .bind(vec!["en".to_owned()])
        .bind(NOBODY)
        .fetch_one(pool)
        .await
        .unwrap();
    match templates.as_array().unwrap().as_slice() {
        [] => ("built-in".to_owned(), Value::Null),
        [one] => {
            assert_eq!(one["audience"], "patient");
            (
                one["compiled"].as_str().unwrap().to_owned(),
                one["others"].clone(),
            )
        }
        many => panic!("{many:?}"),
    }
}

#[tokio::test]
async fn the_nearest_words_of_the_tenant_speak() {
    let pool = clinic().await;
    let words = async |tenant: &str, locales: &[&str]| told(&pool, tenant, locales, 0).await.0;
    assert_eq!(words("clinic", &["de-AT", "de"]).await, "de-AT 1");
    assert_eq!(words("clinic", &["de-CH", "de"]).await, "de 1");
    // Not its own language, but the clinic's; and never another's.
    assert_eq!(words("clinic", &["it"]).await, "fr 1");
    assert_eq!(words("other", &["it-CH", "it"]).await, "it 1");
    assert_eq!(words("other", &["de"]).await, "built-in");

    set(&pool, "clinic", "de-AT", "published = null").await;
    assert_eq!(words("clinic", &["de-AT", "de"]).await, "de 1");
}

#[tokio::test]
async fn a_canary_speaks_below_its_share_and_the_published_stand_behind_it() {
    let pool = clinic().await;
    set(&pool, "clinic", "de", "published = 2, previous = 1").await;
    set(&pool, "clinic", "de", "canary = 3, canary_share = 10").await;
    let at = async |bucket| told(&pool, "clinic", &["de"], bucket).await;
    assert_eq!(at(9).await, ("de 3".to_owned(), serde_json::json!([2, 1])));
    assert_eq!(at(10).await, ("de 2".to_owned(), serde_json::json!([1])));
    // Where nothing is published, the rest hears the next best words.
    set(&pool, "clinic", "de", "published = null, previous = null").await;
    assert_eq!(at(9).await.0, "de 3");
    assert_eq!(at(10).await.0, "fr 1");
}

#[tokio::test]
async fn every_change_of_who_speaks_is_on_record() {
    let pool = clinic().await;
    let by = "published = 2, revision = revision + 1, changed_by = 'somebody'";
    set(&pool, "clinic", "de", by).await;
    set(&pool, "clinic", "de", "versions = 4").await;
    set(&pool, "clinic", "de", "published = 3").await;
    let user: String = sqlx::query_scalar("select 'sql:' || session_user")
        .fetch_one(&pool)
        .await
        .unwrap();
    let changes: Vec<(i64, Option<i32>, String)> = sqlx::query_as(
        "select revision, published, changed_by
        from template_changes
        where tenant_id = 'clinic' and locale = 'de'
        order by revision",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let expected = [
        (1, Some(1), user.clone()),
        (2, Some(2), "somebody".to_owned()),
        (3, Some(3), user),
    ];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn what_was_written_stands() {
    let pool = clinic().await;
    for (statement, refused) in [
        (
            "update template_versions set source = 'other words'",
            "template_versions_append_only",
        ),
        (
            "delete from template_versions",
            "template_versions_append_only",
        ),
        (
            "truncate template_versions cascade",
            "template_versions_append_only",
        ),
        (
            "delete from template_changes",
            "template_changes_append_only",
        ),
        (
            "update templates set published = 9",
            "templates_publish_versions",
        ),
        (
            "update templates set canary = 1",
            "templates_canary_has_a_share",
        ),
    ] {
        let error = run(&pool, statement).await.unwrap_err();
        let constraint = error.as_database_error().unwrap().constraint();
        assert_eq!(constraint, Some(refused), "{statement}: {error}");
    }
}
