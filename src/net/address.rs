//! Which addresses may be connected to: the special-purpose registries of IANA (RFC 6890), read strictly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the internet.
    Public,
    /// To this machine.
    Loopback,
    /// Into a network that outsiders do not see; with its name.
    Private(&'static str),
    /// To no server at all; with its name.
    Nowhere(&'static str),
}

use Reach::{Loopback, Nowhere, Private, Public};

/// Networks of IPv4 that are not public: address, bits, where they lead.
const V4: [(Ipv4Addr, u32, Reach); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Nowhere("unspecified")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private("private")),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private("a carrier's own")),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Private("link-local")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private("private")),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Nowhere("reserved")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Nowhere("for documentation")),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Nowhere("reserved")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private("private")),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Private("for benchmarks")),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Nowhere("for documentation")),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Nowhere("for documentation")),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Nowhere("multicast")),
    (Ipv4Addr::new(255, 255, 255, 255), 32, Nowhere("broadcast")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Nowhere("reserved")),
];

/// Networks of IPv6 that are not public, though they may lie among those that are.
const V6: [(Ipv6Addr, u32, Reach); 11] = [
    (Ipv6Addr::UNSPECIFIED, 128, Nowhere("unspecified")),
    (Ipv6Addr::LOCALHOST, 128, Loopback),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private("unique-local")),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Private("link-local")),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Private("site-local")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Nowhere("multicast")),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Nowhere("for protocols, Teredo among them")),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Nowhere("for documentation")),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Nowhere("6to4, which hides another")),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Nowhere("for documentation")),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, Private("for segment routing")),
];

/// Global unicast (RFC 4291 2.4, as IANA gives it out).
const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// NAT64 (RFC 6052): the last 32 bits are the address that is connected to.
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Where `address` leads. One that carries an IPv4 address leads where that one does.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Reach {
    let bits = u128::from(address.to_bits());
    let inside = |(network, length, _): &&(Ipv4Addr, u32, Reach)| {
        starts_alike(bits, u128::from(network.to_bits()), 32_u32.saturating_sub(*length))
    };
    V4.iter().find(inside).map_or(Public, |(_, _, reach)| *reach)
}

fn v6(address: Ipv6Addr) -> Reach {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return v4(mapped);
    }
    let inside = |network: Ipv6Addr, length: u32| {
        starts_alike(address.to_bits(), network.to_bits(), 128_u32.saturating_sub(length))
    };
    if inside(NAT64.0, NAT64.1) {
        let [.., a, b, c, d] = address.octets();
        return v4(Ipv4Addr::new(a, b, c, d));
    }
    match V6.iter().find(|(network, length, _)| inside(*network, *length)) {
        Some((_, _, reach)) => *reach,
        None if inside(GLOBAL.0, GLOBAL.1) => Public,
        None => Nowhere("not given out by IANA"),
    }
}

/// Are two addresses the same but for their last `free` bits?
fn starts_alike(one: u128, other: u128, free: u32) -> bool {
    (one ^ other).checked_shr(free).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn the_edges_of_every_network_stand_where_the_registries_say() {
        for (inside, outside) in [
            (["0.0.0.0", "0.255.255.255"], ["1.0.0.0", "1.1.1.1"]),
            (["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            (["100.64.0.0", "100.127.255.255"], ["100.63.255.255", "100.128.0.0"]),
            (["127.0.0.0", "127.255.255.255"], ["126.255.255.255", "128.0.0.0"]),
            (["169.254.0.0", "169.254.255.255"], ["169.253.255.255", "169.255.0.0"]),
            (["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
            (["192.0.0.0", "192.0.0.255"], ["191.255.255.255", "192.0.1.0"]),
            (["192.0.2.0", "192.0.2.255"], ["192.0.1.255", "192.0.3.0"]),
            (["192.88.99.0", "192.88.99.255"], ["192.88.98.255", "192.88.100.0"]),
            (["192.168.0.0", "192.168.255.255"], ["192.167.255.255", "192.169.0.0"]),
            (["198.18.0.0", "198.19.255.255"], ["198.17.255.255", "198.20.0.0"]),
            (["198.51.100.0", "198.51.100.255"], ["198.51.99.255", "198.51.101.0"]),
            (["203.0.113.0", "203.0.113.255"], ["203.0.112.255", "203.0.114.0"]),
            (["224.0.0.0", "255.255.255.255"], ["223.255.255.255", "8.8.8.8"]),
            (["::", "::1"], ["2000::", "3ffe::"]),
            (["fc00::", "fdff:ffff::1"], ["2600::", "2a00::"]),
            (["fe80::1", "febf::1"], ["2600::", "2a00::"]),
            (["2001:db8::", "2001:db8:ffff::"], ["2001:db7::", "2001:db9::"]),
            (["2001::", "2001:1ff:ffff::"], ["2000:ffff::", "2001:200::"]),
            (["2002::", "2002:808:808::1"], ["2001:ffff::", "2003::"]),
            (["3fff::", "3fff:fff::"], ["3ffe:ffff::", "3fff:1000::"]),
            (["64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1"], ["64:ff9b::8.8.8.8", "64:ff9b::1.1.1.1"]),
            (["::ffff:127.0.0.1", "::ffff:10.0.0.1"], ["::ffff:8.8.8.8", "::ffff:1.1.1.1"]),
            (["ff02::1", "1fff::"], ["2606:4700::1111", "3000::"]),
            (["4000::", "::8.8.8.8"], ["2a00:1450::1", "2001:4860::8888"]),
        ] {
            for address in inside {
                assert_ne!(of(address), Public, "{address}");
            }
            for address in outside {
                assert_eq!(of(address), Public, "{address}");
            }
        }
    }

    #[test]
    fn what_stands_against_an_address_is_named() {
        for (address, wanted) in [
            ("127.0.0.1", Loopback),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("64:ff9b::127.0.0.1", Loopback),
            ("169.254.169.254", Private("link-local")),
            ("100.64.0.1", Private("a carrier's own")),
            ("fd00::1", Private("unique-local")),
            ("fec0::1", Private("site-local")),
            ("5f00::1", Private("for segment routing")),
            ("0.0.0.0", Nowhere("unspecified")),
            ("255.255.255.255", Nowhere("broadcast")),
            ("240.0.0.1", Nowhere("reserved")),
            ("239.1.1.1", Nowhere("multicast")),
            ("ff02::1", Nowhere("multicast")),
            ("100::1", Nowhere("not given out by IANA")),
        ] {
            assert_eq!(of(address), wanted, "{address}");
        }
    }
}
