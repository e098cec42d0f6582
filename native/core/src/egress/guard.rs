//! Where an address that came from anybody but the operator must not lead (server-side request forgery): into this machine,
//! its network, or the services that clouds offer on addresses of a link.
//!
//! It judges the address that is connected to, never a name: names may say another thing at each look-up, and addresses have
//! many spellings. What is not plainly an address of the public internet is forbidden.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` must not be connected to for anybody but the operator.
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_forbidden_v4(address),
        IpAddr::V6(address) => is_forbidden_v6(address),
    }
}

/// What IANA's registry of special-purpose addresses (RFC 6890) has as not globally reachable, and all that is multicast or
/// reserved.
const FORBIDDEN_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),       // this host, and this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers; clouds have metadata here too
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local, with 169.254.169.254
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // relays of 6to4
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks between networks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved, with broadcast
];

fn is_forbidden_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    FORBIDDEN_V4.iter().any(|(network, length)| (bits ^ u32::from(Ipv4Addr::from(*network))) >> (32 - length) == 0)
}

fn is_forbidden_v6(address: Ipv6Addr) -> bool {
    if let Some(within) = address_within(address) {
        return is_forbidden_v4(within);
    }
    // Only 2000::/3 is global unicast (RFC 4291, section 2.4): loopback, unspecified, link-local, unique local, multicast and
    // what is not given out lie outside of it.
    let [first, second, ..] = address.segments();
    let documentation = (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    // Protocol assignments, among them Teredo, whose servers reach whatever they like.
    let assignments = first == 0x2001 && second < 0x200;
    first >> 13 != 1 || documentation || assignments
}

/// The IPv4 address that an IPv6 address is a form of.
fn address_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, fourth, fifth, sixth, seventh, eighth] = address.segments();
    let of = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match [first, second, third, fourth, fifth, sixth] {
        // Mapped, and translated within one host (RFC 4291, RFC 2765).
        [0, 0, 0, 0, 0, 0xffff] | [0, 0, 0, 0, 0xffff, 0] => of(seventh, eighth),
        // NAT64 at its well-known prefix (RFC 6052); prefixes for local use (RFC 8215) are not global unicast.
        [0x64, 0xff9b, 0, 0, 0, 0] => of(seventh, eighth),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => of(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_forbidden;

    fn forbidden(text: &str) -> bool {
        is_forbidden(text.parse().unwrap_or_else(|_| panic!("{text}")))
    }

    #[test]
    fn this_machine_and_its_networks_are_forbidden() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
        ] {
            assert!(forbidden(text), "{text}");
        }
    }

    #[test]
    fn so_are_their_other_forms() {
        for text in [
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2002:c0a8:101::",
        ] {
            assert!(forbidden(text), "{text}");
        }
    }

    #[test]
    fn the_public_internet_is_not() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:80b::200e",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(!forbidden(text), "{text}");
        }
    }
}
