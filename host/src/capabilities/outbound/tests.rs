use super::*;

fn grants(entries: &[&str]) -> anyhow::Result<Grants> {
    let entries: Vec<_> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    Grants::parse(&entries, &Variables::default())
}

#[test]
fn an_address_is_allowed_exactly_where_a_grant_covers_it() {
    let table = [
        // entry, protocol, address, allowed
        (
            "postgres://db.local",
            "postgres",
            "postgres://u:p@db.local/x",
            true,
        ),
        (
            "postgres://db.local",
            "postgres",
            "postgresql://u:p@DB.local:5432/x",
            true,
        ),
        (
            "postgresql://db.local",
            "postgres",
            "postgres://db.local",
            true,
        ),
        (
            "postgres://db.local",
            "postgres",
            "postgres://db.local:5433/x",
            false,
        ),
        (
            "postgres://db.local:5433",
            "postgres",
            "postgres://db.local:5433/x",
            true,
        ),
        (
            "postgres://db.local:*",
            "postgres",
            "postgres://db.local:1/x",
            true,
        ),
        (
            "postgres://db.local:5000..5002",
            "postgres",
            "postgres://db.local:5001",
            true,
        ),
        (
            "postgres://db.local:5000..5002",
            "postgres",
            "postgres://db.local:5002",
            false,
        ),
        (
            "postgres://db.local",
            "postgres",
            "postgres://evil.local/x",
            false,
        ),
        ("postgres://db.local", "redis", "redis://db.local", false),
        ("redis://db.local", "postgres", "redis://db.local", false),
        ("*://db.local", "redis", "redis://db.local:1", true),
        ("*://*", "http", "https://example.com", true),
        ("*://*:*", "http", "http://example.com:81", true),
        (
            "https://*.example.com",
            "http",
            "https://a.example.com/path",
            true,
        ),
        (
            "https://*.example.com",
            "http",
            "https://a.b.example.com",
            true,
        ),
        (
            "https://*.example.com",
            "http",
            "https://example.com",
            false,
        ),
        (
            "https://*.example.com",
            "http",
            "https://badexample.com",
            false,
        ),
        (
            "https://example.com",
            "http",
            "http://example.com:443",
            false,
        ),
        ("https://example.com", "http", "https://example.com", true),
        ("http://10.0.0.0/8", "http", "http://10.1.2.3", true),
        ("http://10.0.0.0/8", "http", "http://11.1.2.3", false),
        ("http://10.0.0.0/8", "http", "http://ten.example.com", false),
        (
            "postgres://127.0.0.1:5432/praxis",
            "postgres",
            "postgres://127.0.0.1:5432/other",
            true,
        ),
        (
            "postgres://127.0.0.1:5432/praxis",
            "postgres",
            "postgres://127.0.0.2:5432/praxis",
            false,
        ),
        (
            "postgres://u:p%40@h:1/db?sslmode=disable",
            "postgres",
            "postgres://h:1/db",
            true,
        ),
        (
            "redis://:secret@[::1]:7000/0",
            "redis",
            "redis://[::1]:7000/0",
            true,
        ),
        // A database, not a network.
        (
            "redis://127.0.0.1:6379/0",
            "redis",
            "redis://127.0.0.2:6379",
            false,
        ),
        ("redis://127.0.0.1/0", "redis", "redis://127.0.0.2", false),
        ("redis://127.0.0.1/0", "redis", "redis://127.0.0.1/1", true),
        ("redis://127.0.0.1/99", "redis", "redis://127.0.0.1", true),
        ("redis://10.0.0.0/8:6379", "redis", "redis://10.1.2.3", true),
        ("redis://[::1]", "redis", "redis://[::2]", false),
        ("redis://h", "redis", "rediss://h", false),
        ("rediss://h", "redis", "rediss://h:6379", true),
        ("redis://[::1]", "redis", "redis://[0:0:0:0:0:0:0:1]", true),
        // One address, spelled in other ways.
        (
            "http://10.0.0.0/8",
            "http",
            "http://[::ffff:10.1.2.3]",
            true,
        ),
        (
            "http://10.0.0.0/8",
            "http",
            "http://[::ffff:11.1.2.3]",
            false,
        ),
        ("http://127.0.0.1", "http", "http://0x7f.1", true),
        ("http://127.0.0.1", "http", "http://2130706433", true),
        ("http://self", "http", "http://self.alt/path", true),
        ("http://self", "http", "https://self.alt", true),
        ("*://self", "http", "http://self.alt", true),
        ("*://*", "http", "http://self.alt", true),
        ("redis://self", "http", "http://self.alt", false),
        ("http://self.alt", "http", "http://self.alt", true),
        ("http://self", "http", "http://self", false),
        ("http://self", "http", "http://example.com", false),
        (
            "http://*.spin.internal",
            "http",
            "http://other.spin.internal/",
            true,
        ),
        (
            "http://other.spin.internal",
            "http",
            "http://another.spin.internal/",
            false,
        ),
        // What looks like a granted host is only its user.
        (
            "http://good.example",
            "http",
            "http://good.example@evil.example/",
            false,
        ),
        ("http://good.example", "http", "not a url", false),
        ("postgres://h", "postgres", "postgres:///db", false),
    ];
    for (entry, protocol, address, allowed) in table {
        let grants = grants(&[entry]).unwrap();
        let answer = grants.allow(protocol, address);
        assert_eq!(
            answer.is_ok(),
            allowed,
            "{entry} {protocol} {address}: {answer:?}"
        );
    }
}

#[test]
fn nothing_is_granted_by_default() {
    let none = grants(&[]).unwrap();
    assert!(none.allow("http", "http://127.0.0.1").is_err());
    assert!(!none.grants_any("postgres"));
    assert!(grants(&["rediss://h"]).unwrap().grants_any("redis"));
    assert!(!grants(&["rediss://h"]).unwrap().grants_any("postgres"));
}

#[test]
fn an_entry_that_cannot_be_understood_is_named() {
    for entry in [
        "localhost:5432",
        "postgres://",
        "postgres://:5432",
        "postgres://h:port",
        "postgres://h:70000",
        "postgres://h:9..2",
        "gopher://h",
        "http://a b",
        "http://*a.example",
        "://h",
        "postgres://{{ nobody }}",
    ] {
        let error = format!("{:#}", grants(&[entry]).unwrap_err());
        assert!(error.contains(entry), "{error}");
    }
}

#[test]
fn a_password_that_ends_the_host_too_early_is_not_said() {
    for url in [
        "postgres://user:hush/hush@h/db",
        "postgres://user:hush#hush@h/db",
        "postgres://user:hush?hush@h/db",
        "postgres://user:1..hush/hush@h/db",
        "redis://user@10.0.0.1/8:hush@h",
    ] {
        let error = format!("{:#}", Grant::parse(url).unwrap_err());
        assert!(!error.contains("hush"), "{error}");
    }
}

#[test]
fn a_refusal_does_not_repeat_the_password() {
    let error = grants(&[])
        .unwrap()
        .allow("postgres", "postgres://u:hush@h/db");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("postgres://h:5432"), "{error}");
    assert!(!error.contains("hush"), "{error}");
}
