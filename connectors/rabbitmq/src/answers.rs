//! What the target's answers mean. docs/connectors/rabbitmq.md has the table.

use std::io;

use lapin::{Error, ErrorKind};
use orderd_sink::Unavailable;

// Reply codes of AMQP 0-9-1.
const CONTENT_TOO_LARGE: u16 = 311;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const RESOURCE_LOCKED: u16 = 405;
const PRECONDITION_FAILED: u16 = 406;
const NOT_ALLOWED: u16 = 530;

/// An error that ended a connection, a channel or an attempt at one.
pub(crate) fn of_error(error: &Error) -> Unavailable {
    let reason = error.to_string();
    if needs_operator(error) { Unavailable::blocked(reason) } else { Unavailable::passing(reason) }
}

/// Everything else may pass: a server that stops, is short of something, or has an error of its own.
fn needs_operator(error: &Error) -> bool {
    if let ErrorKind::ProtocolError(answer) = error.kind() {
        return match answer.get_id() {
            ACCESS_REFUSED | NOT_FOUND | RESOURCE_LOCKED | NOT_ALLOWED => true,
            PRECONDITION_FAILED => !is_too_large(error),
            _ => false,
        };
    }
    if let ErrorKind::IOError(error) = error.kind() {
        return is_certificate(error);
    }
    matches!(error.kind(), ErrorKind::InvalidProtocolVersion(_) | ErrorKind::AuthProviderError(_))
}

/// Whether the server closed the channel because of a message's size. RabbitMQ uses the general code and says so in the
/// text.
pub(crate) fn is_too_large(error: &Error) -> bool {
    let ErrorKind::ProtocolError(answer) = error.kind() else { return false };
    let text = answer.get_message().as_str();
    match answer.get_id() {
        CONTENT_TOO_LARGE => true,
        PRECONDITION_FAILED => text.contains("message size") || text.contains("larger than"),
        _ => false,
    }
}

/// Whether the server itself gave the reason, rather than our client finding the channel closed.
pub(crate) fn is_from_server(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(_))
}

fn is_certificate(error: &io::Error) -> bool {
    let text = error.to_string();
    text.contains("invalid peer certificate") || text.contains("received fatal alert")
}
