//! A grant covers what it says, and no more.

use praxis_host::manifest::grant::{Grant, Target};
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

const SCHEMES: [&str; 4] = ["http", "https", "postgres", "redis"];

fn target(text: &str) -> Target {
    Target::of(&Url::parse(text).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn any_text_is_a_grant_or_none(
        text in "\\PC{0,40}",
        entry in "[a-z*]{0,6}(://)?[a-z*.0-9\\[\\]:@/]{0,20}",
        url in "[a-z]{1,6}://[a-z0-9.]{1,10}(:[0-9]{1,5})?(/[a-z]{0,3})?",
    ) {
        for text in [&text, &entry] {
            if let Ok(grant) = Grant::parse(text)
                && let Some(target) = Url::parse(&url).ok().and_then(|url| Target::of(&url))
            {
                grant.covers(&target);
            }
        }
    }

    #[test]
    fn an_exact_grant_covers_itself_and_nothing_else(
        scheme in select(&SCHEMES[..]),
        other_scheme in select(&SCHEMES[..]),
        host in "[a-z]{1,8}\\.example",
        other_host in "[a-z]{1,8}\\.example",
        port in 1_u16..,
        other_port in 1_u16..,
    ) {
        let grant = Grant::parse(&format!("{scheme}://{host}:{port}")).unwrap();
        let itself = grant.covers(&target(&format!("{scheme}://{host}:{port}/path")));
        prop_assert!(itself);
        let reaches = grant.covers(&target(&format!("{other_scheme}://{other_host}:{other_port}")));
        let is_same = (scheme, &host, port) == (other_scheme, &other_host, other_port);
        prop_assert_eq!(reaches, is_same);
    }

    #[test]
    fn a_domain_covers_what_is_below_it_and_not_what_ends_alike(
        domain in "[a-z]{1,6}\\.example",
        below in "[a-z]{1,6}",
    ) {
        let grant = Grant::parse(&format!("https://*.{domain}")).unwrap();
        let covers = |host: &str| grant.covers(&target(&format!("https://{host}")));
        let is_below = covers(&format!("{below}.{domain}"));
        let alike = [domain.clone(), format!("{below}{domain}"), format!("{domain}.{below}")];
        prop_assert!(is_below);
        prop_assert!(!alike.iter().any(|host| covers(host)));
    }

    #[test]
    fn a_network_covers_exactly_the_addresses_with_its_prefix(
        network in any::<u32>(),
        prefix in 0_u8..=32,
        address in any::<u32>(),
        near in any::<bool>(),
    ) {
        // Far addresses share a short prefix at best.
        let address = if near { network ^ (address & 0xffff) } else { address };
        let own = std::net::Ipv4Addr::from(network);
        let other = std::net::Ipv4Addr::from(address);
        let grant = Grant::parse(&format!("http://{own}/{prefix}")).unwrap();
        let bits = 32 - u32::from(prefix);
        let with_port = Grant::parse(&format!("http://{own}/{prefix}:8080")).unwrap();
        let shares = u64::from(network) >> bits == u64::from(address) >> bits;
        let (plain, at_port) = (format!("http://{other}"), format!("http://{other}:8080"));
        prop_assert_eq!(grant.covers(&target(&plain)), shares);
        prop_assert_eq!(with_port.covers(&target(&at_port)), shares);
        prop_assert!(!with_port.covers(&target(&plain)));
    }
}
