//! Certificates for servers of tests, signed by an authority that nobody else knows.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key (PEM).
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Its certificate (PEM).
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For the server at `127.0.0.1`, by its address alone.
    pub fn sign(&self) -> Identity {
        self.sign_until(3000)
    }

    pub fn sign_until(&self, year: i32) -> Identity {
        let mut params = CertificateParams::default();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        params.subject_alt_names = vec![SanType::IpAddress(address)];
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}
