//! Addresses as libpq has them, `host=… dbname=…`: spin-sdk documents both forms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Error;

/// An address as a guest writes it: host names and passwords end long before.
pub const ADDRESS_BYTES_MAX: usize = 4 << 10;
/// Those that a URL has a place for.
const IN_THE_URL: [&str; 5] = ["host", "port", "user", "password", "dbname"];
/// Those that it carries as parameters.
const PARAMETERS: [&str; 2] = ["application_name", "sslmode"];

/// An address is longer than [`ADDRESS_BYTES_MAX`].
#[derive(Debug, Clone, Copy)]
pub struct TooLong;

impl From<TooLong> for Error {
    fn from(TooLong: TooLong) -> Self {
        refused(&format!("it has more than {ADDRESS_BYTES_MAX} bytes"))
    }
}

pub fn check(address: &str) -> Result<(), TooLong> {
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(TooLong);
    }
    Ok(())
}

/// The address as a URL, which it may be already.
pub fn url(address: &str) -> Result<Cow<'_, str>, Error> {
    check(address)?;
    if address.contains("://") {
        return Ok(Cow::Borrowed(address));
    }
    let words = words(address).ok_or_else(|| refused("it is neither a URL nor key=value pairs"))?;
    let known = |key: &&String| {
        let key = key.as_str();
        !IN_THE_URL.contains(&key) && !PARAMETERS.contains(&key)
    };
    if let Some(key) = words.keys().find(known) {
        return Err(refused(&format!("the parameter {key} is not allowed")));
    }
    let encoded = |key: &str| {
        let value = words.get(key)?;
        Some(utf8_percent_encode(value, NON_ALPHANUMERIC).to_string())
    };
    let host = words.get("host").filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| refused("it names no host"))?;
    if host.contains(['/', ',', '@', '?', '#']) {
        return Err(refused("it must name one host"));
    }
    let mut url = String::from("postgres://");
    if let Some(user) = encoded("user") {
        url.push_str(&user);
        if let Some(password) = encoded("password") {
            url.push(':');
            url.push_str(&password);
        }
        url.push('@');
    }
    let is_bare_v6 = host.contains(':') && !host.starts_with('[');
    url.push_str(&if is_bare_v6 {
        format!("[{host}]")
    } else {
        host.clone()
    });
    if let Some(port) = words.get("port") {
        let port: u16 = port.parse().map_err(|_| refused("its port is no port"))?;
        let _ = write!(url, ":{port}");
    }
    url.push('/');
    url.push_str(&encoded("dbname").unwrap_or_default());
    for (sign, key) in ['?', '&'].into_iter().zip(
        PARAMETERS
            .into_iter()
            .filter(|key| words.contains_key(*key)),
    ) {
        let _ = write!(url, "{sign}{key}={}", encoded(key).unwrap_or_default());
    }
    Ok(Cow::Owned(url))
}

fn refused(reason: &str) -> Error {
    Error::Connection(format!("the address is not usable: {reason}"))
}

/// `None` where a pair has no `=`, or a quote no end. A value in single quotes may hold spaces; a
/// backslash makes the next character an ordinary one.
fn words(address: &str) -> Option<BTreeMap<String, String>> {
    let mut words = BTreeMap::new();
    let mut rest = address.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        let (value, after) = value(after.trim_start())?;
        words.insert(key.to_owned(), value);
        rest = after.trim_start();
    }
    Some(words)
}

fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.strip_prefix('\'');
    let mut characters = quoted.unwrap_or(text).chars();
    let mut value = String::new();
    loop {
        let before = characters.as_str();
        match characters.next() {
            Some('\\') => value.push(characters.next()?),
            Some('\'') if quoted.is_some() => return Some((value, characters.as_str())),
            Some(space) if quoted.is_none() && space.is_whitespace() => {
                return Some((value, before));
            }
            Some(other) => value.push(other),
            None if quoted.is_none() => return Some((value, "")),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_a_url() {
        for (address, expected) in [
            ("postgres://u@h/d", "postgres://u@h/d"),
            ("host=h", "postgres://h/"),
            (
                "host=h port=5 user=u password='a b\\'@' dbname = d",
                "postgres://u:a%20b%27%40@h:5/d",
            ),
            ("dbname=d host=::1", "postgres://[::1]/d"),
            (
                "host=h sslmode=require application_name='x y'",
                "postgres://h/?application_name=x%20y&sslmode=require",
            ),
        ] {
            assert_eq!(url(address).unwrap(), expected, "{address}");
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for address in [
            "",
            "host",
            "user=u",
            "host=",
            "host='h",
            "host=a,b",
            "host=/run/postgresql",
            "host=h@evil",
            "host=h hostaddr=10.0.0.1",
            "host=h service=x",
            "host=h passfile=/etc/passwd",
            "host=h port=many",
            &format!("host=h user={}", "u".repeat(ADDRESS_BYTES_MAX)),
            &format!("postgres://{}", "h".repeat(ADDRESS_BYTES_MAX)),
        ] {
            assert!(url(address).is_err(), "{address}");
        }
    }
}
