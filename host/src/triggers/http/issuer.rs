//! The development issuer: a key of its own, kept in the data folder, and tokens signed with it.
//! `praxis serve` has none.

use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::auth::Claims;
use crate::clock;
use crate::private;

pub const ISSUER: &str = "praxis-development";
pub const AUDIENCE: &str = "praxis";
const KEY_ID: &str = "development";
const KEY_FILE: &str = "issuer.pem";
const TOKEN_LIFETIME_SECONDS: i64 = 12 * 3600;
const SEED_BYTES: usize = 32;
/// What stands before an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8_ED25519_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Signs tokens for anybody: for development only.
pub struct Issuer {
    key: EncodingKey,
    jwk: Jwk,
}

#[derive(Serialize)]
struct Token {
    iss: &'static str,
    aud: &'static str,
    exp: i64,
    #[serde(flatten)]
    claims: Claims,
}

impl Issuer {
    /// The issuer whose key is in `folder`; the key is made if there is none.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(KEY_FILE);
        if !path.exists() {
            std::fs::create_dir_all(folder)?;
            private::write(&path, new_key().as_bytes())?;
        }
        let pem = std::fs::read(&path)
            .with_context(|| format!("could not read the issuer's key {}", path.display()))?;
        let key = EncodingKey::from_ed_pem(&pem)
            .with_context(|| format!("{} is no Ed25519 key", path.display()))?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::EdDSA)?;
        jwk.common.key_id = Some(KEY_ID.into());
        Ok(Self { key, jwk })
    }

    /// Whether there is an issuer in `folder`.
    pub fn is_there(folder: &Path) -> bool {
        folder.join(KEY_FILE).exists()
    }

    /// The keys that verify its tokens.
    pub fn keys(&self) -> JwkSet {
        JwkSet {
            keys: vec![self.jwk.clone()],
        }
    }

    pub fn mint(&self, claims: &Claims) -> anyhow::Result<String> {
        ensure!(!claims.sub.is_empty(), "a token needs a sub");
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(KEY_ID.into());
        let now = clock::now().timestamp();
        let token = Token {
            iss: ISSUER,
            aud: AUDIENCE,
            exp: now + TOKEN_LIFETIME_SECONDS,
            claims: Claims {
                iat: Some(now.into()),
                ..claims.clone()
            },
        };
        Ok(jsonwebtoken::encode(&header, &token, &self.key)?)
    }
}

fn new_key() -> String {
    let seed: [u8; SEED_BYTES] = rand::random();
    let der = [PKCS8_ED25519_PREFIX.as_slice(), &seed].concat();
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}
