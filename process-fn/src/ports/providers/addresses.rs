//! Which addresses a download may connect to.

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use shared::url::{Downloads, is_public};
use std::net::IpAddr;

/// A host has no address that may be connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(super) struct NoPublicAddress;

/// Looks up hosts, and returns only public addresses. The client connects to these without another lookup, so a name that changes its
/// address between two lookups gains nothing.
#[derive(Clone, Debug)]
pub(super) struct Addresses<R> {
    pub(super) resolver: R,
    pub(super) downloads: Downloads,
}

impl<R: ResolveDns> ResolveDns for Addresses<R> {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let mut addresses = self.resolver.resolve_dns(name).await?;
            addresses.retain(|address| self.downloads == Downloads::Anywhere || is_public(*address));
            if addresses.is_empty() { Err(ResolveDnsError::new(NoPublicAddress)) } else { Ok(addresses) }
        })
    }
}

/// The system's own lookup.
#[derive(Clone, Copy, Debug)]
pub(super) struct System;

impl ResolveDns for System {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(found.map(|address| address.ip()).collect::<Vec<IpAddr>>())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug)]
    struct Table(&'static str);

    impl ResolveDns for Table {
        fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
            DnsFuture::ready(Ok(self.0.split_whitespace().map(|address| address.parse().unwrap()).collect()))
        }
    }

    async fn resolve(found: &'static str, downloads: Downloads) -> Result<String, String> {
        let resolver = Addresses { resolver: Table(found), downloads };
        let addresses = resolver.resolve_dns("media.example").await.map_err(|error| platform::aws::causes(&error))?;
        Ok(addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[tokio::test]
    async fn only_public_addresses_are_known() {
        let found = "10.0.0.1 93.184.216.34 ::1 169.254.169.254 2606:4700::1111 ::ffff:127.0.0.1";
        assert_eq!(resolve(found, Downloads::Public).await, Ok("93.184.216.34 2606:4700::1111".to_owned()));
        let refused = resolve("127.0.0.1 fd00:ec2::254", Downloads::Public).await.unwrap_err();
        assert!(refused.contains("no public address"), "{refused}");
        assert_eq!(resolve("127.0.0.1", Downloads::Anywhere).await, Ok("127.0.0.1".to_owned()));
        assert!(resolve("", Downloads::Anywhere).await.is_err());
    }

    #[tokio::test]
    async fn odd_spellings_of_an_address_are_looked_up_and_judged_like_names() {
        // What the system makes of them is an address like any other.
        for name in ["localhost", "127.1", "0x7f.1", "2130706433"] {
            let resolver = Addresses { resolver: System, downloads: Downloads::Public };
            assert!(resolver.resolve_dns(name).await.is_err(), "{name}");
        }
    }
}
