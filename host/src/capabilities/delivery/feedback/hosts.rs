//! Where SNS is.

use url::Url;

/// The hosts that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hosts {
    /// `sns.REGION.amazonaws.com`, and in China `sns.REGION.amazonaws.com.cn`.
    #[default]
    Amazons,
    /// This one alone, `host:port`: for tests.
    Only(String),
}

impl Hosts {
    /// Whether it is an address there, by HTTPS, without a user's name.
    pub fn contains(&self, url: &Url) -> bool {
        if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        match self {
            Self::Amazons => url.port().is_none() && url.host_str().is_some_and(is_amazons),
            Self::Only(authority) => {
                let host = url.host_str().unwrap_or_default();
                let port = url.port_or_known_default().unwrap_or_default();
                *authority == format!("{host}:{port}")
            }
        }
    }
}

fn is_amazons(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com")
            .or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(|region| {
        !region.is_empty()
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_amazons_own_hosts_are_believed() {
        let believes = |url: &str| Hosts::Amazons.contains(&Url::parse(url).unwrap());
        for url in [
            "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.us-gov-west-1.amazonaws.com/a.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        ] {
            assert!(believes(url), "{url}");
        }
        for url in [
            "http://sns.eu-central-1.amazonaws.com/a.pem",
            "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
            "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
            "https://evil.example/sns.eu-central-1.amazonaws.com/a.pem",
            "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem",
            "https://sns.evil.example#.amazonaws.com/a.pem",
            "https://bucket.s3.amazonaws.com/a.pem",
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://sns.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://xsns.eu-central-1.amazonaws.com/a.pem",
        ] {
            assert!(!believes(url), "{url}");
        }
        let ours = Hosts::Only("127.0.0.1:8443".into());
        assert!(ours.contains(&Url::parse("https://127.0.0.1:8443/a.pem").unwrap()));
        assert!(!ours.contains(&Url::parse("https://127.0.0.1/a.pem").unwrap()));
        assert!(!ours.contains(&Url::parse("https://sns.eu-central-1.amazonaws.com/").unwrap()));
    }
}
