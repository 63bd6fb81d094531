//! Who is asking: a bearer token (RFC 6750), a JWT (RFC 7519) verified against a JWKS (RFC 7517).

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Problem;

/// What may sign a token. Never `none`, never a shared secret.
const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::EdDSA,
    Algorithm::ES256,
    Algorithm::RS256,
    Algorithm::PS256,
];
/// How the component learns who asks: base64url of the claims in JSON.
const CLAIMS_HEADER: HeaderName = HeaderName::from_static("praxis-claims");
const TOKEN_BYTES_MAX: usize = 8 << 10;
const LEEWAY_SECONDS: u64 = 30;
/// A key id that is not known makes the JWKS be read again, but not more often than this.
const JWKS_REFRESH_INTERVAL: Duration = Duration::from_secs(30);
const JWKS_TIMEOUT: Duration = Duration::from_secs(5);
const JWKS_BYTES_MAX: usize = 1 << 20;
const TOO_LONG: &str = "a JWKS may have 1 MiB";

/// What a verified token says of its bearer (OpenID Connect's standard claims, and ours).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub sub: String,
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// When it was issued; a component may have to know what has happened since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<serde_json::Number>,
}

impl Claims {
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

/// Where keys come from, and whose tokens count.
pub struct Verifier {
    source: Source,
    issuer: String,
    audience: String,
    keys: ArcSwap<JwkSet>,
    refreshed: Mutex<Instant>,
}

/// Where the JWKS is.
#[derive(Debug, Clone)]
pub enum Source {
    /// The set itself: the development issuer's.
    Fixed(JwkSet),
    /// A file, read again when a key id is not known.
    File(std::path::PathBuf),
    /// An address, fetched again when a key id is not known.
    Url(String),
}

impl Source {
    /// A file's path or an `http(s)` address.
    pub fn parse(text: &str) -> Self {
        if text.starts_with("https://") || text.starts_with("http://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(text.into())
        }
    }

    async fn read(&self) -> anyhow::Result<JwkSet> {
        match self {
            Self::Fixed(keys) => Ok(keys.clone()),
            Self::File(path) => {
                let text = tokio::fs::read(path)
                    .await
                    .with_context(|| format!("could not read the JWKS {}", path.display()))?;
                parse_keys(&text).with_context(|| format!("in the JWKS {}", path.display()))
            }
            Self::Url(url) => {
                let client = reqwest::Client::builder().timeout(JWKS_TIMEOUT).build()?;
                let mut answer = client.get(url).send().await?.error_for_status()?;
                let mut text = Vec::new();
                while let Some(chunk) = answer.chunk().await? {
                    text.extend_from_slice(&chunk);
                    ensure!(text.len() <= JWKS_BYTES_MAX, TOO_LONG);
                }
                parse_keys(&text).with_context(|| format!("in the JWKS at {url}"))
            }
        }
    }
}

fn parse_keys(text: &[u8]) -> anyhow::Result<JwkSet> {
    ensure!(text.len() <= JWKS_BYTES_MAX, TOO_LONG);
    let keys: JwkSet = serde_json::from_slice(text)?;
    ensure!(!keys.keys.is_empty(), "it has no key");
    Ok(keys)
}

impl Verifier {
    /// Reads the keys: a host that can verify nobody does not start.
    pub async fn new(source: Source, issuer: String, audience: String) -> anyhow::Result<Self> {
        let keys = source.read().await?;
        Ok(Self {
            source,
            issuer,
            audience,
            keys: ArcSwap::from_pointee(keys),
            refreshed: Mutex::new(Instant::now()),
        })
    }

    /// The bearer's claims, or none where no token is sent. A token that is sent must be good.
    pub async fn verify(&self, headers: &HeaderMap) -> Result<Option<Claims>, Problem> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Ok(None);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| {
                Problem::unauthenticated("the Authorization header must be `Bearer <token>`")
            })?;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Problem::unauthenticated("the token is too long"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Problem::unauthenticated("the token is not a JWT"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(Problem::unauthenticated(
                "the token's algorithm is not accepted",
            ));
        }
        let key = self
            .key(header.kid.as_deref())
            .await
            .ok_or_else(|| Problem::unauthenticated("the token's key is not known"))?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map(|data| Some(data.claims))
            .map_err(|error| Problem::unauthenticated(reason(&error)))
    }

    async fn key(&self, id: Option<&str>) -> Option<DecodingKey> {
        if let Some(key) = find(&self.keys.load(), id) {
            return Some(key);
        }
        self.refresh().await;
        find(&self.keys.load(), id)
    }

    /// The issuer may have new keys. One request at a time asks, and not too often.
    async fn refresh(&self) {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.elapsed() < JWKS_REFRESH_INTERVAL {
            return;
        }
        *refreshed = Instant::now();
        match self.source.read().await {
            Ok(keys) => self.keys.store(Arc::new(keys)),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "could not read the JWKS"),
        }
    }
}

fn find(keys: &JwkSet, id: Option<&str>) -> Option<DecodingKey> {
    let jwk = match id {
        Some(id) => keys.find(id)?,
        // Without an id only an only key is meant.
        None => match keys.keys.as_slice() {
            [only] => only,
            _ => return None,
        },
    };
    DecodingKey::from_jwk(jwk).ok()
}

fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::ExpiredSignature => "the token has expired",
        ErrorKind::ImmatureSignature => "the token is not valid yet",
        ErrorKind::InvalidIssuer => "the token is from another issuer",
        ErrorKind::InvalidAudience => "the token is for another audience",
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        _ => "the token is not valid",
    }
}

/// Hands the claims on to a component; what a client sent under that name is dropped.
pub fn pass_on(headers: &mut HeaderMap, claims: Option<&Claims>) {
    headers.remove(CLAIMS_HEADER);
    let Some(claims) = claims else { return };
    let json =
        serde_json::to_vec(claims).expect("claims are strings, lists of strings and a number");
    let value = HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json))
        .expect("base64url is a valid header value");
    headers.insert(CLAIMS_HEADER, value);
}
