//! What an answer, or its absence, means for the event. The table is the one in docs/connectors/webhook.md.

use std::io;
use std::time::Duration;

use chrono::Utc;
use orderd_sink::{Outcome, Unavailable};
use ureq::Error;
use ureq::http::{HeaderMap, StatusCode};

use crate::addresses::NoAddress;

/// The outcome of a request that got this answer. `body` is the beginning of the answer's body.
pub fn outcome(status: StatusCode, headers: &HeaderMap, body: &str, retry_after_max: Duration) -> Outcome {
    let code = status.as_u16();
    if status.is_success() {
        return Outcome::Delivered;
    }
    let reason = reason(status, body);
    if let Some(value) = headers.get("retry-after") {
        let value = value.to_str().unwrap_or_default();
        let retry_after = crate::retry_after::parse(value, Utc::now(), retry_after_max);
        return Unavailable { reason, retry_after, blocked: false }.into();
    }
    match code {
        408 | 425 | 429 => Outcome::unavailable(reason),
        400 | 413 | 422 => Outcome::rejected(reason),
        300..=399 => Outcome::blocked(redirect(reason, headers)),
        401 | 403..=405 | 407 | 410 | 411 | 414 | 421 | 431 | 451 | 501 | 505 | 511 => Outcome::blocked(reason),
        _ => Outcome::failed(reason),
    }
}

fn reason(status: StatusCode, body: &str) -> String {
    let body = body.trim();
    if body.is_empty() { status.to_string() } else { format!("{status}: {body}") }
}

/// Says where the redirect leads, without a query: it may hold a secret.
fn redirect(reason: String, headers: &HeaderMap) -> String {
    match headers.get("location").and_then(|location| location.to_str().ok()) {
        Some(location) => format!("{reason} (to {}; not followed)", orderd_sink::address::for_people(location)),
        None => reason,
    }
}

/// The outcome of a request that got no answer.
pub fn outcome_of_error(error: &Error) -> Outcome {
    if let Error::Io(error) = error {
        return of_io(error);
    }
    if let Error::Rustls(error) = error {
        return of_tls(error);
    }
    if let Error::Other(other) = error
        && let Some(no_address) = other.downcast_ref::<NoAddress>()
    {
        return match no_address {
            NoAddress::Denied(_) => Outcome::blocked(no_address.to_string()),
            NoAddress::NotResolved(_) => Outcome::unavailable(no_address.to_string()),
        };
    }
    if matches!(error, Error::Tls(_)) {
        return Outcome::blocked(error.to_string());
    }
    if matches!(error, Error::HostNotFound | Error::ConnectionFailed) {
        return Outcome::unavailable(error.to_string());
    }
    Outcome::failed(error.to_string())
}

fn of_io(error: &io::Error) -> Outcome {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return of_tls(tls);
    }
    let unreachable = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable
    );
    if unreachable { Outcome::unavailable(error.to_string()) } else { Outcome::failed(error.to_string()) }
}

/// A certificate that does not fit does not begin to fit by itself, neither theirs nor ours.
fn of_tls(error: &rustls::Error) -> Outcome {
    let does_not_fit = matches!(
        error,
        rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            | rustls::Error::AlertReceived(_)
            | rustls::Error::PeerIncompatible(_)
    );
    let reason = format!("TLS: {error}");
    if does_not_fit { Outcome::blocked(reason) } else { Outcome::failed(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: u16) -> &'static str {
        let status = StatusCode::from_u16(code).unwrap();
        match outcome(status, &HeaderMap::new(), "", Duration::from_secs(1)) {
            Outcome::Delivered => "delivered",
            Outcome::Failed { .. } => "failed",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Unavailable(Unavailable { blocked: true, .. }) => "blocked",
            Outcome::Unavailable(_) => "unavailable",
        }
    }

    #[test]
    fn every_status_is_in_one_class() {
        let blocked = [401, 403, 404, 405, 407, 410, 411, 414, 421, 431, 451, 501, 505, 511];
        for code in 200..=599 {
            let expected = match code {
                200..=299 => "delivered",
                408 | 425 | 429 => "unavailable",
                400 | 413 | 422 => "rejected",
                300..=399 => "blocked",
                code if blocked.contains(&code) => "blocked",
                _ => "failed",
            };
            assert_eq!(class(code), expected, "{code}");
        }
    }

    #[test]
    fn a_redirect_is_told_without_its_query() {
        let mut headers = HeaderMap::new();
        headers.insert("location", "https://u:p@other/x?token=s3cret".parse().unwrap());
        let outcome = outcome(StatusCode::FOUND, &headers, "", Duration::from_secs(1));
        assert_eq!(outcome, Outcome::blocked("302 Found (to https://other/x; not followed)"));
    }
}
