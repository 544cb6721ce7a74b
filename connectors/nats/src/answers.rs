//! What the target's answers mean. docs/connectors/nats.md has the table.

use std::error::Error as _;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind, PublishError, PublishErrorKind};
use async_nats::jetstream::context::{RequestError, RequestErrorKind};
use async_nats::rustls;
use async_nats::{ConnectError, ConnectErrorKind};
use orderd_sink::{Outcome, Unavailable};

/// An error number of JetStream.
type Answer = async_nats::jetstream::Error;

/// A connection that did not come about.
pub(crate) fn of_connect(error: &ConnectError) -> Unavailable {
    let reason = format!("cannot connect: {error}");
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication | ConnectErrorKind::Tls => {
            Unavailable::blocked(reason)
        }
        ConnectErrorKind::Io if is_refused_for_good(error) => Unavailable::blocked(reason),
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => Unavailable::passing(reason),
    }
}

/// A certificate that does not fit, or a user that is no longer valid.
fn is_refused_for_good(error: &ConnectError) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    let mut cause = error.source();
    let mut certificate = false;
    while let Some(found) = cause {
        certificate |= matches!(
            found.downcast_ref::<rustls::Error>(),
            Some(
                rustls::Error::InvalidCertificate(_)
                    | rustls::Error::NoCertificatesPresented
                    | rustls::Error::AlertReceived(_)
            )
        );
        cause = found
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref())
            .map_or_else(|| found.source(), |inner| Some(inner as &(dyn std::error::Error + 'static)));
    }
    certificate || text.contains("authentication expired") || text.contains("authentication revoked")
}

/// A publish that was not confirmed.
pub(crate) fn of_publish(error: &PublishError, subject: &str) -> Outcome {
    match error.kind() {
        PublishErrorKind::StreamNotFound => Outcome::blocked(format!("no stream takes the subject {subject}")),
        PublishErrorKind::TimedOut => Outcome::unavailable("the server did not confirm in time"),
        PublishErrorKind::BrokenPipe => Outcome::unavailable("the connection to the server was lost"),
        PublishErrorKind::MaxAckPending => Outcome::unavailable("too many publishes wait for their confirmation"),
        PublishErrorKind::MaxPayloadExceeded => Outcome::rejected(format!("{error} of the server")),
        PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence | PublishErrorKind::Other => {
            match error.source().and_then(|source| source.downcast_ref::<Answer>()) {
                Some(answer) => of_code(answer),
                // An answer that is not JetStream's: something else listens on the subject.
                None => Outcome::blocked(format!("no JetStream answers on the subject {subject}: {error}")),
            }
        }
    }
}

/// JetStream's own answer to a publish.
fn of_code(answer: &Answer) -> Outcome {
    let reason = answer.to_string();
    match answer.error_code() {
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
            Outcome::rejected(reason)
        }
        ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT => Outcome::failed(reason),
        code if is_for_operators(code) => Outcome::blocked(reason),
        // A full stream (discard = new), a store that failed, no leader, too many requests: it may pass.
        ErrorCode::STREAM_STORE_FAILED => Outcome::unavailable(reason),
        _ if answer.code() >= 429 => Outcome::unavailable(reason),
        _ => Outcome::failed(reason),
    }
}

/// The stream is not there, is another, is closed for writing, or the account's share of the disk is used up.
fn is_for_operators(code: ErrorCode) -> bool {
    const STREAM_NOT_MATCH: ErrorCode = ErrorCode(10060);
    [
        ErrorCode::STREAM_NOT_FOUND,
        STREAM_NOT_MATCH,
        ErrorCode::STREAM_SEALED,
        ErrorCode::JETSTREAM_NOT_ENABLED,
        ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT,
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::MEMORY_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE,
    ]
    .contains(&code)
}

/// A stream whose configuration was not told: none if events may be published all the same.
pub(crate) fn of_stream(error: &GetStreamError, stream: &str) -> Option<Unavailable> {
    let reason = format!("the stream {stream}: {error}");
    match error.kind() {
        GetStreamErrorKind::JetStream(answer) => Some(match of_code(&answer) {
            Outcome::Unavailable(Unavailable { blocked: true, .. }) => Unavailable::blocked(reason),
            Outcome::Unavailable(_) | Outcome::Failed { .. } | Outcome::Rejected { .. } | Outcome::Delivered => {
                Unavailable::passing(reason)
            }
        }),
        GetStreamErrorKind::Request => {
            let request = error.source().and_then(|source| source.downcast_ref::<RequestError>());
            match request.map(RequestError::kind) {
                Some(RequestErrorKind::NoResponders) => Some(Unavailable::blocked("JetStream is not enabled")),
                _ => None,
            }
        }
        GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => Some(Unavailable::blocked(reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_jetstream_has_its_outcome() {
        let rejected = [(400, 10_054), (400, 10_097)];
        let unavailable = [(503, 10_077), (503, 10_008), (503, 10_023), (429, 10_210), (500, 99_999)];
        let blocked = [
            (404, 10_059),
            (400, 10_060),
            (400, 10_109),
            (503, 10_076),
            (503, 10_039),
            (400, 10_002),
            (500, 10_028),
            (500, 10_047),
        ];
        let failed = [(409, 10_158), (400, 99_999)];
        let answer = |(code, err_code): (usize, u64)| -> Answer {
            let answer = serde_json::json!({"code": code, "err_code": err_code, "description": "because"});
            serde_json::from_value(answer).unwrap()
        };
        let outcome = |codes| of_code(&answer(codes));
        rejected.map(outcome).iter().for_each(|outcome| assert!(matches!(outcome, Outcome::Rejected { .. })));
        failed.map(outcome).iter().for_each(|outcome| assert!(matches!(outcome, Outcome::Failed { .. })));
        for (expected, outcomes) in [(true, blocked.map(outcome).to_vec()), (false, unavailable.map(outcome).to_vec())]
        {
            let is_expected = |outcome: &Outcome| matches!(outcome, Outcome::Unavailable(it) if it.blocked == expected);
            assert!(outcomes.iter().all(is_expected), "{outcomes:?}");
        }
    }
}
