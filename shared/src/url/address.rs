//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to the public internet: not this machine, not a private or shared network, not link-local (where
/// the metadata services of clouds are), not multicast, not set aside for documentation, benchmarks or the future. An IPv6
/// address that stands for an IPv4 one is what that is.
///
/// By IANA's registries of special-purpose addresses (RFC 6890 and what amends it).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let set_aside = match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [169, 254, ..] | [192, 168, ..] => true,
        [172, second, ..] => second & 0xf0 == 16,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [first, ..] => first >= 224,
    };
    !set_aside
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    match address.segments() {
        // How a network without IPv4 reaches IPv4 hosts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // Tunnels (which hide an IPv4 address) and other protocols, documentation.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x2002, ..] => false,
        [0x3fff, second, ..] => second >= 0x1000,
        // All that is given out lies in 2000::/3.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(public: bool, addresses: &str) {
        for address in addresses.split_whitespace() {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        check(true, "1.1.1.1 8.8.8.8 93.184.216.34 52.95.110.1 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1");
        check(true, "192.0.1.1 192.167.1.1 192.169.1.1 198.17.0.1 198.20.0.1 223.255.255.255 11.0.0.1 126.1.1.1");
        check(false, "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 127.0.0.1 127.8.8.8 100.64.0.1 100.127.255.255");
        check(false, "169.254.169.254 169.254.0.1 172.16.0.1 172.31.255.255 192.168.0.1 192.0.0.8 192.0.2.1");
        check(false, "192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.1.1.1 240.0.0.1");
        check(false, "255.255.255.255");
        check(true, "2606:4700:4700::1111 2a00:1450:4001:80b::200e 2001:4860:4860::8888 2600:1f18::1 3fff:1000::1");
        check(false, ":: ::1 ::2 fe80::1 fc00::1 fd00:ec2::254 fdff::1 ff02::1 2001:db8::1 2001::1 2001:10::1");
        check(false, "2002:7f00:1::1 3fff::1 100::1 5f00::1 fec0::1 ::127.0.0.1 4000::1");
    }

    #[test]
    fn ipv4_inside_ipv6_is_what_it_is() {
        check(true, "::ffff:8.8.8.8 64:ff9b::8.8.8.8");
        check(false, "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b::a00:1");
        check(false, "64:ff9b:1::8.8.8.8");
    }
}
