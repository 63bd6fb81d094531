//! Whom outbound HTTPS trusts to say who a server is.

use anyhow::{Context as _, ensure};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The public authorities, and those of the host's own.
#[derive(Debug, Clone)]
pub struct Authorities(RootCertStore);

impl Default for Authorities {
    fn default() -> Self {
        Self(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        })
    }
}

impl Authorities {
    /// The public ones and those whose certificates are in the text (PEM).
    pub fn and(pem: &[u8]) -> anyhow::Result<Self> {
        let Self(mut store) = Self::default();
        let mut count = 0_usize;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.context("it is not a file of certificates (PEM)")?;
            count += 1;
            store
                .add(certificate)
                .with_context(|| format!("its certificate {count} is no authority's"))?;
        }
        ensure!(count > 0, "it holds no certificate (PEM)");
        Ok(Self(store))
    }

    pub(super) fn into_store(self) -> RootCertStore {
        self.0
    }
}
