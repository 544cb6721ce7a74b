//! Addresses of targets in configurations and in messages: credentials stay out of both.

use crate::config::ConfigError;

/// Query parameters that hold a password in the addresses of databases.
const PASSWORD_PARAMETERS: [&str; 4] = ["password", "sslpassword", "passwd", "pass"];

/// Refuses an address with a password in it (`scheme://user:password@host`, or `?password=`). The message shows neither
/// the password nor the address.
///
/// # Errors
/// There is a password.
pub fn refuse_password(key: &str, address: &str) -> Result<(), ConfigError> {
    let in_userinfo = user_info(address).is_some_and(|(_, password)| password.is_some());
    let query = address.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or(query));
    let names = query.split('&').filter_map(|parameter| parameter.split('=').next());
    let in_query = names.map(str::to_ascii_lowercase).any(|name| PASSWORD_PARAMETERS.contains(&name.as_str()));
    if in_userinfo || in_query {
        return Err(ConfigError::key(
            key,
            "a password has no place in an address: put it into a file of its own (password_file)",
        ));
    }
    Ok(())
}

/// User and password of an address, as written (percent-encoded); none if there is no `@`.
#[must_use]
pub fn user_info(address: &str) -> Option<(&str, Option<&str>)> {
    let (user_info, _) = authority(address).rsplit_once('@')?;
    match user_info.split_once(':') {
        Some((user, password)) => Some((user, Some(password))),
        None => Some((user_info, None)),
    }
}

/// Whether there is a host and, if a port is written, one from 1 to 65535.
#[must_use]
pub fn has_host(address: &str) -> bool {
    let authority = authority(address);
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let port = if place.ends_with(']') { None } else { place.rsplit_once(':') };
    let (host, port) = port.map_or((place, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == ',');
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// The address without user, password, query and fragment: what may be logged.
#[must_use]
pub fn for_people(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let address = address.get(..end).unwrap_or(address);
    let authority = authority(address);
    match authority.rsplit_once('@') {
        Some((_, host)) => address.replacen(authority, host, 1),
        None => address.to_owned(),
    }
}

/// The part between `//` and the path. A password may hold any of `/?#` unencoded by mistake, so the last `@` counts.
fn authority(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host_at = rest.rfind('@').map_or(0, |at| at + 1);
    let host_bytes = rest.get(host_at..).and_then(|host| host.find(['/', '?', '#']));
    let end = host_bytes.map_or(rest.len(), |bytes| host_at + bytes);
    rest.get(..end).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        for address in [
            "amqp://user:s3cret@host/vhost",
            "user:s3cret@host",
            "redis://:s3cret@host:6379",
            "nats://user:s3/cret@host",
            "postgres://user@host/db?password=s3cret",
            "postgres://host/db?a=b&PassWord=s3cret",
        ] {
            let error = refuse_password("url", address).unwrap_err().to_string();
            assert!(error.starts_with("url: ") && !error.contains("s3") && !error.contains("host"), "{error}");
        }
        for address in ["amqp://user@host:5672/%2f", "https://host/path?x=y", "redis://[::1]:6379/0"] {
            refuse_password("url", address).unwrap();
        }
    }

    #[test]
    fn an_address_has_a_host_and_a_port_that_can_be() {
        for address in ["nats://host", "host:4222", "https://u@host:443/a:b", "redis://[::1]:6379/0", "http://[::1]/"] {
            assert!(has_host(address), "{address}");
        }
        for address in
            ["", "nats://", "http:///a", ":9092", "host:", "host:0", "http://host:65536/", "a,b", "nats://a,nats://b"]
        {
            assert!(!has_host(address), "{address}");
        }
    }

    #[test]
    fn people_see_an_address_without_credentials() {
        assert_eq!(for_people("https://u:p@host:80/a?token=x#y"), "https://host:80/a");
        assert_eq!(for_people("nats://token@host"), "nats://host");
        assert_eq!(for_people("host:9092"), "host:9092");
        assert_eq!(user_info("amqp://user@host/v"), Some(("user", None)));
    }
}
