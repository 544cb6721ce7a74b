//! The values of the Host header that the console answers to. A page of another site that points its own name at our
//! address sends that name: it gets nothing.

use std::collections::BTreeSet;

use crate::listen::Listen;

/// Exact values, in lower case.
#[derive(Debug)]
pub struct Hosts(BTreeSet<String>);

impl Hosts {
    /// Those of the address, and those that were given.
    #[must_use]
    pub fn new(address: &Listen, given: &[String]) -> Self {
        let mut hosts: BTreeSet<String> = given.iter().map(|host| host.to_ascii_lowercase()).collect();
        match address {
            Listen::Tcp(address) => {
                let port = address.port();
                let names = ["127.0.0.1".to_owned(), "localhost".to_owned(), "[::1]".to_owned()];
                let own = if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() };
                for name in names.into_iter().chain((!address.ip().is_unspecified()).then_some(own)) {
                    if port == 80 {
                        hosts.insert(name.clone());
                    }
                    hosts.insert(format!("{name}:{port}"));
                }
            }
            Listen::Unix(_) => {
                hosts.insert("localhost".to_owned());
            }
        }
        Self(hosts)
    }

    /// Whether this is one of ours.
    #[must_use]
    pub fn has(&self, host: &str) -> bool {
        self.0.contains(&host.to_ascii_lowercase())
    }

    /// Whether an `Origin` header is one of our own pages, plain or through a proxy that adds TLS.
    #[must_use]
    pub fn has_origin(&self, origin: &str) -> bool {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.has(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_hosts_are_ours() {
        let hosts = Hosts::new(&"127.0.0.1:7480".parse().unwrap(), &["Orders.Example".to_owned()]);
        for ours in ["127.0.0.1:7480", "localhost:7480", "LOCALHOST:7480", "[::1]:7480", "orders.example"] {
            assert!(hosts.has(ours), "{ours}");
        }
        for other in
            ["", "127.0.0.1", "127.0.0.1:80", "evil.example", "127.0.0.1:7480.evil.example", "x.localhost:7480"]
        {
            assert!(!hosts.has(other), "{other}");
        }
        assert!(hosts.has_origin("http://localhost:7480") && hosts.has_origin("https://orders.example"));
        for other in ["null", "", "http://evil.example", "file://localhost:7480", "http://localhost:7480/"] {
            assert!(!hosts.has_origin(other), "{other}");
        }
    }
}
