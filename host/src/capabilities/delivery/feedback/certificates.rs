//! The certificates that SNS signs with: fetched from where it says, if that is Amazon's, and kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, ensure};
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use url::Url;
use webpki::EndEntityCert;
use webpki::ring::RSA_PKCS1_2048_8192_SHA256;

use super::envelope::{Digest, Envelope};
use super::{Error, Hosts};

const CERTIFICATE_BYTES_MAX: usize = 64 << 10;
/// Amazon changes its certificate about once a year, and each region has one.
const CERTIFICATES_MAX: usize = 64;

pub struct Certificates {
    client: reqwest::Client,
    hosts: Hosts,
    known: Mutex<HashMap<String, Arc<CertificateDer<'static>>>>,
}

impl Certificates {
    pub fn new(client: reqwest::Client, hosts: Hosts) -> Self {
        Self {
            client,
            hosts,
            known: Mutex::default(),
        }
    }

    /// Whether the signature is that of the certificate.
    pub async fn check(&self, envelope: &Envelope) -> Result<(), Error> {
        let certificate = self.certificate(&envelope.signing_cert_url).await?;
        let certificate = EndEntityCert::try_from(&*certificate)
            .map_err(|_| untrusted("the certificate can't be read"))?;
        let algorithm: &dyn SignatureVerificationAlgorithm = match envelope.digest {
            Digest::Sha1 => &RsaSha1,
            Digest::Sha256 => RSA_PKCS1_2048_8192_SHA256,
        };
        certificate
            .verify_signature(algorithm, envelope.signed().as_bytes(), &envelope.signature)
            .map_err(|_| untrusted("the signature is not the certificate's"))
    }

    async fn certificate(&self, url: &str) -> Result<Arc<CertificateDer<'static>>, Error> {
        if let Some(known) = self.known().get(url) {
            return Ok(Arc::clone(known));
        }
        let address = Url::parse(url)
            .ok()
            .filter(|address| self.hosts.contains(address) && address.path().ends_with(".pem"))
            .ok_or_else(|| untrusted("the certificate's address is not SNS's"))?;
        let fetched = self.fetch(address).await.map_err(Error::Unavailable)?;
        let fetched = Arc::new(fetched);
        let mut known = self.known();
        if known.len() >= CERTIFICATES_MAX {
            known.clear();
        }
        known.insert(url.to_owned(), Arc::clone(&fetched));
        Ok(fetched)
    }

    async fn fetch(&self, url: Url) -> anyhow::Result<CertificateDer<'static>> {
        let what = || format!("could not get the certificate at {url}");
        let answer = self.client.get(url.clone()).send().await;
        let mut answer = answer
            .and_then(reqwest::Response::error_for_status)
            .with_context(what)?;
        let mut pem = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(what)? {
            pem.extend_from_slice(&chunk);
            ensure!(
                pem.len() <= CERTIFICATE_BYTES_MAX,
                "the certificate at {url} has more than {CERTIFICATE_BYTES_MAX} bytes"
            );
        }
        CertificateDer::from_pem_slice(&pem)
            .with_context(|| format!("what is at {url} is no certificate (PEM)"))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<CertificateDer<'static>>>> {
        self.known
            .lock()
            .expect("no one panics while holding the certificates")
    }
}

/// `SignatureVersion` 1, which SNS still uses unless a topic asks for 2. No one offers SHA-1 for
/// certificates any more: what is signed here is a message, by who also fetched its certificate.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public_key)
            .verify(message, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    /// sha1WithRSAEncryption (RFC 3279), which has no name among the algorithms for certificates.
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(&[
            0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00,
        ])
    }
}

fn untrusted(what: &str) -> Error {
    Error::Untrusted(what.to_owned())
}
