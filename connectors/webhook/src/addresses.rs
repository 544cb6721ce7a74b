//! Networks that no connection may go to, checked on the addresses that a name resolves to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Addresses with a common beginning, in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Resolves names and keeps what may be connected to.
#[derive(Debug)]
pub struct GuardedResolver {
    denied: Vec<Network>,
    resolver: DefaultResolver,
}

/// Why there is nothing to connect to.
#[derive(Debug)]
pub enum NoAddress {
    /// The name does not resolve now.
    NotResolved(String),
    /// The name resolves to denied addresses alone.
    Denied(IpAddr),
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix_bits)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network: it takes ADDRESS or ADDRESS/BITS, such as 10.0.0.0/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = bits.map_or(Ok(bits_max), str::parse).map_err(|_| wrong())?;
        if prefix_bits > bits_max { Err(wrong()) } else { Ok(Self { address, prefix_bits }) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.prefix_bits)
    }
}

impl GuardedResolver {
    pub fn new(denied: Vec<Network>) -> Self {
        Self { denied, resolver: DefaultResolver::default() }
    }

    fn is_denied(&self, address: IpAddr) -> bool {
        let forms = [Some(address), Some(address.to_canonical()), translated(address)];
        forms.into_iter().flatten().any(|form| self.denied.iter().any(|network| network.contains(form)))
    }
}

/// The IPv4 address that an IPv6 address of NAT64 (64:ff9b::/96) or 6to4 (2002::/16) leads to.
fn translated(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let bits = u32::from(high) << 16 | u32::from(low);
            Some(Ipv4Addr::from_bits(bits).into())
        }
        _ => None,
    }
}

impl Resolver for GuardedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let resolved = match self.resolver.resolve(uri, config, timeout) {
            Ok(resolved) => resolved,
            Err(ureq::Error::Timeout(timeout)) => return Err(ureq::Error::Timeout(timeout)),
            Err(error) => return Err(ureq::Error::Other(Box::new(NoAddress::NotResolved(error.to_string())))),
        };
        let mut allowed = self.empty();
        for address in &resolved {
            if !self.is_denied(address.ip()) {
                allowed.push(*address);
            }
        }
        match resolved.first().map(SocketAddr::ip) {
            Some(denied) if allowed.is_empty() => Err(ureq::Error::Other(Box::new(NoAddress::Denied(denied)))),
            Some(_) | None => Ok(allowed),
        }
    }
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotResolved(error) => write!(f, "the host name does not resolve: {error}"),
            Self::Denied(address) => write!(f, "the host's address {address} is in deny_addresses"),
        }
    }
}

impl std::error::Error for NoAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denied_address_is_denied_in_every_form() {
        let networks = ["169.254.0.0/16", "fe80::/10", "10.1.2.3"].map(|text| text.parse().unwrap());
        let guard = GuardedResolver::new(networks.to_vec());
        for denied in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "febf::1",
            "10.1.2.3",
        ] {
            assert!(guard.is_denied(denied.parse().unwrap()), "{denied}");
        }
        for allowed in ["127.0.0.1", "::1", "169.253.255.255", "fec0::1", "10.1.2.4", "64:ff9b::a01:204"] {
            assert!(!guard.is_denied(allowed.parse().unwrap()), "{allowed}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("255.255.255.255".parse().unwrap()));
        for wrong in ["", "10.0.0.0/33", "10.0.0", "::/129", "host/8"] {
            wrong.parse::<Network>().unwrap_err();
        }
    }
}
