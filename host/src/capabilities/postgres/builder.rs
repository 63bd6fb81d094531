//! `connection-builder`: an address, and what is to be known about it before connecting.

use super::address;
use super::error::Error;

/// The certificates of an authority: one has a few thousand.
pub const CERTIFICATE_BYTES_MAX: usize = 64 << 10;

/// What a guest has said so far.
pub struct Builder {
    /// One that is too long is not kept.
    address: Result<String, address::TooLong>,
    ca_root: Option<String>,
}

impl Builder {
    /// Fails when it is used, if at all: a constructor cannot.
    pub fn new(address: String) -> Self {
        Self {
            address: address::check(&address).map(|()| address),
            ca_root: None,
        }
    }

    /// The certificate (PEM) that the server's must be signed with.
    pub fn set_ca_root(&mut self, certificate: String) -> Result<(), Error> {
        if certificate.len() > CERTIFICATE_BYTES_MAX {
            return Err(Error::Usage(format!(
                "the CA root has more than {CERTIFICATE_BYTES_MAX} bytes"
            )));
        }
        if !certificate.contains("-----BEGIN CERTIFICATE-----") {
            return Err(Error::Usage("the CA root is not a PEM certificate".into()));
        }
        self.ca_root = Some(certificate);
        Ok(())
    }

    pub fn address(&self) -> Result<&str, Error> {
        Ok(self.address.as_ref().map_err(|too_long| *too_long)?)
    }

    pub fn ca_root(&self) -> Option<&str> {
        self.ca_root.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_refused_and_not_kept() {
        let mut builder = Builder::new("x".repeat(address::ADDRESS_BYTES_MAX + 1));
        let Err(Error::Connection(reason)) = builder.address() else {
            panic!("it has an address");
        };
        assert!(reason.contains("more than 4096 bytes"), "{reason}");
        assert!(builder.address.is_err());

        let certificate = "-----BEGIN CERTIFICATE-----\n".to_owned();
        let padding = CERTIFICATE_BYTES_MAX - certificate.len();
        let longest = certificate + &"x".repeat(padding);
        assert!(builder.set_ca_root(longest.clone()).is_ok());
        let Err(Error::Usage(reason)) = builder.set_ca_root(longest + "x") else {
            panic!("it has a certificate");
        };
        assert!(reason.contains("more than 65536 bytes"), "{reason}");
    }
}
