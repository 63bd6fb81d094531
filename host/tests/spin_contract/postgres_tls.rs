//! `spin:postgres` with `set-ca-root`, against a PostgreSQL that speaks TLS.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use praxis_host::capabilities::postgres::{Error, Limits, Pools};
use praxis_host::triggers::http::guest::Guest;
use praxis_servers::Server;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::certificates::{Authority, Identity};
use crate::guest::{PROBE, Product, application, see};
use crate::postgres;

const IS_SECURE: &str = "select 1 / ssl::int from pg_stat_ssl where pid = pg_backend_pid()";

/// A server of one's own that shows this certificate.
async fn secured(identity: &Identity) -> (Server, TempDir) {
    let (server, folder) = postgres::start().await;
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    // PostgreSQL writes them itself: the files must be its own user's, and the key nobody else's.
    for (text, program) in [
        (&identity.certificate, "cat > server.crt"),
        (&identity.key, "umask 077; cat > server.key"),
    ] {
        let copy = format!(
            "copy (select unnest(string_to_array('{text}', E'\\n'))) to program '{program}'"
        );
        connection.execute(AssertSqlSafe(copy)).await.unwrap();
    }
    connection
        .execute("alter system set ssl = on")
        .await
        .unwrap();
    connection.execute("select pg_reload_conf()").await.unwrap();
    connection.close().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let url = format!("{}?sslmode=require", server.url());
    while PgConnection::connect(&url).await.is_err() {
        assert!(Instant::now() < deadline, "PostgreSQL does not speak TLS");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (server, folder)
}

#[tokio::test]
async fn a_certificate_of_the_named_authority_is_believed_and_no_other() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (server, _folder) = secured(&ours.sign()).await;
    let by_address = server.url();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    for (address, authority, is_believed) in [
        (by_address.clone(), &ours, true),
        (format!("{by_address}?sslmode=verify-full"), &ours, true),
        (by_address.clone(), &theirs, false),
        (format!("{by_address}?sslmode=verify-ca"), &theirs, false),
        // The certificate is one for 127.0.0.1.
        (by_name.clone(), &ours, false),
        (format!("{by_name}?sslmode=verify-ca"), &ours, true),
    ] {
        let pools = Pools::default();
        let session = pools
            .open("test", Limits::default(), &address, Some(&authority.pem()))
            .unwrap();
        match session.execute(IS_SECURE, &[]).await {
            Ok(rows) => assert!(is_believed && rows == 1, "{address}: {rows}"),
            Err(error) => {
                let is_refused = matches!(error, Error::Connection(_));
                assert!(!is_believed && is_refused, "{address}: {error:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_says_whom_it_believes() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (server, _folder) = secured(&ours.sign()).await;
    let known = BTreeMap::from([
        ("database_url".to_owned(), server.url()),
        ("database_words".to_owned(), String::new()),
        ("redis_url".to_owned(), "redis://127.0.0.1:1".to_owned()),
    ]);
    for (authority, expected) in [(ours, "ok"), (theirs, "connection-failed")] {
        let folder = tempfile::tempdir().unwrap();
        let grants = format!(
            "allowed_outbound_hosts = [\"{{{{ database_url }}}}\", \"redis://h\"]\n\
             key_value_stores = [\"default\"]\n\
             environment = {{ AUTHORITY = {:?} }}\n\
             [component.probe.variables]\ndatabase_url = \"{{{{ database_url }}}}\"\n",
            authority.pem()
        );
        let application =
            application(folder.path(), PROBE, &grants, &known, Product::Redis).unwrap();
        let guest = Guest::new(application.component("probe")).unwrap();
        assert_eq!(see(&guest, "/postgres/secured", None).await, expected);
    }
}
