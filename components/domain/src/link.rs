//! Links that act for whoever holds them, without a sign-in: in a mail, to one patient.
//!
//! A token names one deed and carries a code over it (HMAC-SHA256, RFC 2104, cut to 16 bytes). It can
//! be read by anybody, and made only with the secret. It holds ids, never a name or an address. It is
//! short, for it stands in text messages: base64url of
//!
//! | bytes | |
//! |---|---|
//! | 1 | the deed |
//! | 16 | the id that it is about |
//! | 4 | the version of the booking, or the channel |
//! | 4 | until when it holds, in whole minutes since 1970 |
//! | 16 | the code |

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use uuid::Uuid;

use crate::patient::Channel;

/// Fewer would be guessed.
pub const SECRET_BYTES_MIN: usize = 32;
const CODE_BYTES: usize = 16;
/// What is signed begins with it: no other use of the secret makes the same code.
const PURPOSE: &str = "praxis link 1\n";
const SAID_BYTES: usize = 1 + 16 + 4 + 4;
const SECONDS_PER_MINUTE: i64 = 60;

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// No reminders on this channel any more.
    OptOut { patient_id: Uuid, channel: Channel },
    /// The booking is cancelled, if it is still of this version: so a link works once, and not at
    /// all once the booking was changed in another way.
    Cancel { booking_id: Uuid, version: i32 },
}

/// A deed, and until when its link holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub deed: Deed,
    /// Rounded down to the minute.
    pub expires: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("the link is damaged, or none of ours")]
    Forged,
    #[error("the link has run out")]
    Expired,
}

/// The first signs; all are accepted, so that a secret can be changed. Printed, they show nothing.
#[derive(Clone)]
pub struct Secrets(Vec<Vec<u8>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret for links has {SECRET_BYTES_MIN} bytes at least; several are separated by spaces"
)]
pub struct TooShort;

impl Secrets {
    /// One or more, separated by white space.
    pub fn parse(text: &str) -> Result<Self, TooShort> {
        let secrets: Vec<_> = text
            .split_whitespace()
            .map(|one| one.as_bytes().to_vec())
            .collect();
        let all_long = secrets
            .iter()
            .all(|secret| secret.len() >= SECRET_BYTES_MIN);
        match !secrets.is_empty() && all_long {
            true => Ok(Self(secrets)),
            false => Err(TooShort),
        }
    }

    pub fn sign(&self, link: &Link) -> String {
        let said = say(link);
        let code = code(&self.0[0], &said).finalize().into_bytes();
        let token: Vec<u8> = said.into_iter().chain(code).take(TOKEN_BYTES).collect();
        URL_SAFE_NO_PAD.encode(token)
    }

    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Deed, Invalid> {
        // Whatever is longer is none of ours, and not worth the decoding.
        let is_short = token.len() <= 2 * TOKEN_BYTES;
        let token = is_short.then(|| URL_SAFE_NO_PAD.decode(token).ok());
        let token: Option<[u8; TOKEN_BYTES]> =
            token.flatten().and_then(|token| token.try_into().ok());
        let token = token.ok_or(Invalid::Forged)?;
        let (said, given) = token.split_at(SAID_BYTES);
        let is_ours = self
            .0
            .iter()
            .any(|secret| code(secret, said).verify_truncated_left(given).is_ok());
        let link = is_ours.then(|| read(said)).flatten();
        let link = link.ok_or(Invalid::Forged)?;
        match link.expires > now {
            true => Ok(link.deed),
            false => Err(Invalid::Expired),
        }
    }
}

const TOKEN_BYTES: usize = SAID_BYTES + CODE_BYTES;

fn code(secret: &[u8], said: &[u8]) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    code.update(PURPOSE.as_bytes());
    code.update(said);
    code
}

const OPT_OUT: u8 = 1;
const CANCEL: u8 = 2;

fn say(link: &Link) -> [u8; SAID_BYTES] {
    let (deed, id, what) = match link.deed {
        Deed::OptOut {
            patient_id,
            channel,
        } => (OPT_OUT, patient_id, number(channel)),
        Deed::Cancel {
            booking_id,
            version,
        } => (CANCEL, booking_id, version),
    };
    let minutes = link.expires.as_second() / SECONDS_PER_MINUTE;
    let minutes = u32::try_from(minutes.max(0)).unwrap_or(u32::MAX);
    let mut said = [0; SAID_BYTES];
    said[0] = deed;
    said[1..17].copy_from_slice(id.as_bytes());
    said[17..21].copy_from_slice(&what.to_be_bytes());
    said[21..].copy_from_slice(&minutes.to_be_bytes());
    said
}

fn read(said: &[u8]) -> Option<Link> {
    let (deed, rest) = said.split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (what, rest) = rest.split_first_chunk::<4>()?;
    let (id, what) = (Uuid::from_bytes(*id), i32::from_be_bytes(*what));
    let deed = match *deed {
        OPT_OUT => Deed::OptOut {
            patient_id: id,
            channel: channel(what)?,
        },
        CANCEL => Deed::Cancel {
            booking_id: id,
            version: what,
        },
        _ => return None,
    };
    let minutes = u32::from_be_bytes(rest.try_into().ok()?);
    let expires = i64::from(minutes) * SECONDS_PER_MINUTE;
    let expires = Timestamp::from_second(expires).ok()?;
    Some(Link { deed, expires })
}

fn number(channel: Channel) -> i32 {
    match channel {
        Channel::Email => 1,
        Channel::Sms => 2,
        Channel::Push => 3,
    }
}

fn channel(number: i32) -> Option<Channel> {
    match number {
        1 => Some(Channel::Email),
        2 => Some(Channel::Sms),
        3 => Some(Channel::Push),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn secrets(text: &str) -> Secrets {
        Secrets::parse(text).unwrap()
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    fn cancel() -> Link {
        Link {
            deed: Deed::Cancel {
                booking_id: Uuid::from_u128(3),
                version: 2,
            },
            expires: at("2026-11-23T08:00:00Z"),
        }
    }

    #[test]
    fn a_link_does_what_it_was_made_for_until_it_runs_out() {
        let opt_out = Deed::OptOut {
            patient_id: Uuid::from_u128(1),
            channel: Channel::Sms,
        };
        for link in [
            cancel(),
            Link {
                deed: opt_out,
                ..cancel()
            },
        ] {
            let token = secrets(ONE).sign(&link);
            assert_eq!(token.len(), 55);
            assert_eq!(
                secrets(ONE).verify(&token, at("2026-11-23T07:59:59Z")),
                Ok(link.deed)
            );
            let late = secrets(ONE).verify(&token, at("2026-11-23T08:00:00Z"));
            assert_eq!(late, Err(Invalid::Expired));
        }
    }

    #[test]
    fn a_secret_can_be_changed() {
        let token = secrets(ONE).sign(&cancel());
        let now = at("2026-11-23T07:00:00Z");
        assert!(secrets(&format!("{TWO} {ONE}")).verify(&token, now).is_ok());
        assert_eq!(secrets(TWO).verify(&token, now), Err(Invalid::Forged));
        assert!(Secrets::parse("short").is_err());
        assert!(Secrets::parse("").is_err());
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_link(position in 0_usize..200, letter in "[A-Za-z0-9_-]") {
            let token = secrets(ONE).sign(&cancel());
            let mut forged = token.clone();
            let position = position % token.len();
            forged.replace_range(position..=position, &letter);
            prop_assume!(forged != token);
            let seen = secrets(ONE).verify(&forged, at("2026-11-23T07:00:00Z"));
            prop_assert_eq!(seen, Err(Invalid::Forged));
        }

        #[test]
        fn any_text_is_read_without_harm(text in "\\PC{0,300}") {
            prop_assert!(secrets(ONE).verify(&text, at("2026-11-23T07:00:00Z")).is_err());
        }
    }
}
