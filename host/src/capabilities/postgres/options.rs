//! How to connect to an address: by what it says alone. sqlx begins with the environment of the
//! process, which holds the host's own credentials.

use std::ffi::OsString;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::error::Error;

/// One statement, enforced by the server.
const STATEMENT_TIMEOUT_MS: u64 = 30_000;
/// Prepared statements kept on each connection.
const STATEMENTS_CACHED_MAX: usize = 256;
const PORT_DEFAULT: u16 = 5432;
/// What the server's list of connections says, where the address does not.
const APPLICATION_NAME: &str = "praxis";
/// What an address may say besides the place: nothing that reads a file or goes to another host.
const PARAMETERS: [&str; 2] = ["sslmode", "application_name"];
/// What sqlx takes from the environment and nothing takes away again.
const STICKY_VARIABLES: [&str; 3] = ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"];

/// For an address such as `postgres://user:password@host:5432/database?sslmode=require`. With a
/// certificate (PEM) the server must show one that it signed.
pub fn of(address: &str, ca_root: Option<&str>) -> Result<PgConnectOptions, Error> {
    check_environment(|name| std::env::var_os(name))?;
    from(PgConnectOptions::new_without_pgpass(), address, ca_root)
}

fn check_environment(value: impl Fn(&str) -> Option<OsString>) -> Result<(), Error> {
    match STICKY_VARIABLES.iter().find(|name| value(name).is_some()) {
        None => Ok(()),
        Some(name) => Err(Error::Connection(format!(
            "the host's environment sets {name}, which is not for components: start it without"
        ))),
    }
}

/// Whatever `inherited` says, the address overrules it.
fn from(
    inherited: PgConnectOptions,
    address: &str,
    ca_root: Option<&str>,
) -> Result<PgConnectOptions, Error> {
    let url = parse(address)?;
    let parameter = |wanted: &str| {
        let mut pairs = url.query_pairs();
        let value = pairs.find_map(|(name, value)| (name == wanted).then_some(value));
        value.map(|value| value.into_owned())
    };
    let user = decoded(url.username())?;
    let database = match url.path().trim_start_matches('/') {
        "" => user.clone(),
        path => decoded(path)?,
    };
    let name = parameter("application_name");
    let options = inherited
        .host(url.host_str().unwrap_or_default())
        .port(url.port().unwrap_or(PORT_DEFAULT))
        .username(&user)
        .password(&decoded(url.password().unwrap_or_default())?)
        .database(&database)
        .ssl_mode(ssl_mode(
            parameter("sslmode").as_deref(),
            ca_root.is_some(),
        )?)
        .application_name(name.as_deref().unwrap_or(APPLICATION_NAME))
        .statement_cache_capacity(STATEMENTS_CACHED_MAX)
        .options([("statement_timeout", STATEMENT_TIMEOUT_MS.to_string())])
        .disable_statement_logging();
    Ok(match ca_root {
        Some(certificate) => options.ssl_root_cert_from_pem(certificate.as_bytes().to_vec()),
        None => options,
    })
}

/// With a certificate anything less than verifying it would leave it unread.
fn ssl_mode(named: Option<&str>, has_ca_root: bool) -> Result<PgSslMode, Error> {
    match (named, has_ca_root) {
        (None, true) => Ok(PgSslMode::VerifyFull),
        (None, false) => Ok(PgSslMode::Prefer),
        (Some(named), true) if !matches!(named, "verify-ca" | "verify-full") => Err(refused(
            &format!("with a CA root its sslmode is verify-full or verify-ca, not {named}"),
        )),
        (Some(named), _) => named
            .parse()
            .map_err(|_| refused(&format!("there is no sslmode {named}"))),
    }
}

fn decoded(part: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(part).decode_utf8();
    let decoded = decoded.map_err(|_| refused("it is not UTF-8"))?;
    if decoded.contains('\0') {
        return Err(refused("it holds a zero byte"));
    }
    Ok(decoded.into_owned())
}

fn parse(address: &str) -> Result<Url, Error> {
    let url = Url::parse(address)
        .map_err(|_| refused("only postgres://user:password@host:port/database is understood"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refused("its scheme is not postgres"));
    }
    match url.host_str() {
        None | Some("") => return Err(refused("it names no host")),
        Some(host) if host.contains(['%', ',']) => {
            return Err(refused("it must name one host"));
        }
        Some(_) => {}
    }
    if url.username().is_empty() {
        return Err(refused("it names no user"));
    }
    let mut known: Vec<_> = Vec::new();
    for (name, _) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) {
            return Err(refused(&format!("the parameter {name} is not allowed")));
        }
        if known.contains(&name) {
            return Err(refused(&format!("it says {name} twice")));
        }
        known.push(name);
    }
    Ok(url)
}

fn refused(reason: &str) -> Error {
    Error::Connection(format!("the address is not usable: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_host_and_a_user_and_reads_no_file() {
        for address in [
            "postgres://u:p@127.0.0.1:5432/db",
            "postgresql://u@localhost/db?sslmode=disable&application_name=x",
            "postgres://u@[::1]:5433/db",
        ] {
            assert!(parse(address).is_ok(), "{address}");
        }
        for address in [
            "host=localhost user=postgres",
            "mysql://u@localhost/db",
            "postgres:///db",
            "postgres://localhost/db",
            "postgres://:p@localhost/db",
            "postgres://u@%2Fvar%2Frun/db",
            "postgres://u@a,b/db",
            "postgres://u@localhost/db?host=/tmp",
            "postgres://u@localhost/db?user=v",
            "postgres://u@localhost/db?hostaddr=10.0.0.1",
            "postgres://u@localhost/db?sslrootcert=/etc/passwd",
            "postgres://u@localhost/db?sslmode=verify-full&sslmode=disable",
        ] {
            assert!(parse(address).is_err(), "{address}");
        }
    }

    #[test]
    fn nothing_of_the_hosts_own_goes_to_an_address() {
        let hosts_own = PgConnectOptions::new_without_pgpass()
            .host("hosts-own.example")
            .port(1)
            .username("hosts-own")
            .password("hosts-own")
            .database("hosts-own")
            .application_name("hosts-own")
            .ssl_mode(PgSslMode::Disable);
        let options = from(hosts_own, "postgres://u@h", None).unwrap();
        let shown = format!("{options:?} {}", options.to_url_lossy());
        assert!(!shown.contains("hosts-own"), "{shown}");
        assert!(shown.contains("password: Some(\"\")"), "{shown}");
        assert_eq!(options.get_username(), "u");
        assert_eq!(options.get_database(), Some("u"));
        assert_eq!((options.get_host(), options.get_port()), ("h", 5432));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Prefer));
        let full = "postgres://u%40:p%2F@h:7/d%20e?application_name=n&sslmode=require";
        let options = from(options, full, None).unwrap();
        let shown = format!("{options:?}");
        assert!(shown.contains("password: Some(\"p/\")"), "{shown}");
        assert_eq!(options.get_username(), "u@");
        assert_eq!(options.get_database(), Some("d e"));
        assert_eq!(options.get_application_name(), Some("n"));
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
    }

    #[test]
    fn what_cannot_be_taken_away_is_refused_by_name() {
        assert!(check_environment(|_| None).is_ok());
        for name in STICKY_VARIABLES {
            let set = |asked: &str| (asked == name).then(|| OsString::from("x"));
            let error = check_environment(set).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_certificate_is_never_left_unread() {
        let mode = |named, has_ca_root| ssl_mode(named, has_ca_root).ok();
        assert!(matches!(mode(None, true), Some(PgSslMode::VerifyFull)));
        assert!(matches!(
            mode(Some("verify-ca"), true),
            Some(PgSslMode::VerifyCa)
        ));
        for named in ["disable", "allow", "prefer", "require", "REQUIRE", "x"] {
            let error = ssl_mode(Some(named), true).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        assert!(matches!(
            mode(Some("disable"), false),
            Some(PgSslMode::Disable)
        ));
        assert!(mode(Some("x"), false).is_none());
    }
}
