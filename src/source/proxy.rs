//! Which API servers are reached past the proxy that the environment names. kube compares
//! NO_PROXY with the address of the proxy, not with that of the server, and would also send a
//! server on this machine through it; kubectl does neither.

use std::net::{IpAddr, Ipv4Addr};

/// Whether `NO_PROXY` names this host, or it is this machine.
pub fn is_direct(host: &str, no_proxy: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        match address {
            Some(address) => entry == "*" || names_address(&entry, address),
            None => entry == "*" || names_host(&entry, &host),
        }
    })
}

/// `example.com` and `.example.com` both cover what is below; a port is not compared.
fn names_host(entry: &str, host: &str) -> bool {
    let domain = entry.split(':').next().unwrap_or(entry).trim_start_matches(['*', '.']);
    !domain.is_empty()
        && host.strip_suffix(domain).is_some_and(|left| left.is_empty() || left.ends_with('.'))
}

fn names_address(entry: &str, address: IpAddr) -> bool {
    if entry.parse().is_ok_and(|named: IpAddr| named == address) {
        return true;
    }
    let range = entry.split_once('/').and_then(|(network, bits)| {
        Some((network.parse::<Ipv4Addr>().ok()?, bits.parse::<u32>().ok().filter(|b| *b <= 32)?))
    });
    let (Some((network, bits)), IpAddr::V4(address)) = (range, address) else { return false };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from(address) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_past_the_proxy() {
        let rows = [
            ("127.0.0.1", "", true),
            ("[::1]", "", true),
            ("localhost", "", true),
            ("api.example.com", "", false),
            ("api.example.com", "other, .example.com", true),
            ("api.example.com", "example.com:6443", true),
            ("badexample.com", "example.com", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("11.1.2.3", "0.0.0.0/0", true),
            ("11.1.2.3", "11.1.2.3", true),
            ("a", "*", true),
        ];
        for (host, no_proxy, expected) in rows {
            assert_eq!(is_direct(host, no_proxy), expected, "{host} {no_proxy}");
        }
    }
}
