//! An address as a key: all ways to write one are one.

use crate::patient::Channel;

/// Without its display name, in lower case. Two mailboxes that differ by case alone exist in theory
/// (RFC 5321); whoever has one of them would rather not hear from us by the other.
pub fn key(channel: Channel, address: &str) -> String {
    match channel {
        Channel::Email => bare(address).trim().to_lowercase(),
        Channel::Sms => address.trim().to_owned(),
        // An endpoint's name may tell upper from lower case.
        Channel::Push => address.to_owned(),
    }
}

/// What stands in the last pair of angle brackets, if there is one.
fn bare(address: &str) -> &str {
    let inner = address.rsplit_once('<').map(|(_, inner)| inner);
    inner
        .and_then(|inner| inner.split_once('>'))
        .map_or(address, |(bare, _)| bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_write_an_address_are_one() {
        for address in [
            "ann@example.com",
            " Ann@Example.COM ",
            "Ann <ann@example.com>",
            "\"Ann <not@this>\" <ANN@example.com>",
            "<ann@example.com>",
        ] {
            assert_eq!(key(Channel::Email, address), "ann@example.com", "{address}");
        }
        assert_eq!(key(Channel::Sms, "+49891 "), "+49891");
        assert_eq!(key(Channel::Push, "arn:Device"), "arn:Device");
    }
}
