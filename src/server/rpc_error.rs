//! The errors of the wire: code, kind and whether to try again stand here and nowhere else.

use std::borrow::Cow;

use super::raw_json::{Kind, Value};
use crate::contracts::{OperatorRefusal, Refusal};

/// What kind of error a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    OrderNotFound,
    OrderExists,
    InvalidTransition,
    CommandIdConflict,
    Overloaded,
    ShuttingDown,
    StorageFull,
    PermissionDenied,
    LineTooLong,
    OutcomeUnknown,
    StoreUnavailable,
    TooManyOrders,
    SinkNotFound,
    SinkAttached,
    SinkNotAttachable,
    ProtocolNotSupported,
    LaneNotFound,
    OutOfRange,
    ReplayNotFound,
    SinkConfigured,
    NotTheRelay,
}

/// How a kind looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WireCode {
    pub(super) code: i32,
    pub(super) kind: &'static str,
    pub(super) retryable: bool,
}

const fn fatal(code: i32, kind: &'static str) -> WireCode {
    WireCode { code, kind, retryable: false }
}

const fn retryable(code: i32, kind: &'static str) -> WireCode {
    WireCode { code, kind, retryable: true }
}

impl ErrorKind {
    /// All of them, in the order of their declaration.
    pub(super) const ALL: [Self; 26] = [
        Self::ParseError,
        Self::InvalidRequest,
        Self::MethodNotFound,
        Self::InvalidParams,
        Self::InternalError,
        Self::OrderNotFound,
        Self::OrderExists,
        Self::InvalidTransition,
        Self::CommandIdConflict,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::StorageFull,
        Self::PermissionDenied,
        Self::LineTooLong,
        Self::OutcomeUnknown,
        Self::StoreUnavailable,
        Self::TooManyOrders,
        Self::SinkNotFound,
        Self::SinkAttached,
        Self::SinkNotAttachable,
        Self::ProtocolNotSupported,
        Self::LaneNotFound,
        Self::OutOfRange,
        Self::ReplayNotFound,
        Self::SinkConfigured,
        Self::NotTheRelay,
    ];

    /// The table of codes.
    pub(super) const fn wire(self) -> WireCode {
        match self {
            Self::ParseError => fatal(-32700, "parse_error"),
            Self::InvalidRequest => fatal(-32600, "invalid_request"),
            Self::MethodNotFound => fatal(-32601, "method_not_found"),
            Self::InvalidParams => fatal(-32602, "invalid_params"),
            Self::InternalError => fatal(-32603, "internal_error"),
            Self::OrderNotFound => fatal(1001, "order_not_found"),
            Self::OrderExists => fatal(1002, "order_exists"),
            Self::InvalidTransition => fatal(1003, "invalid_transition"),
            Self::CommandIdConflict => fatal(1004, "command_id_conflict"),
            Self::Overloaded => retryable(1101, "overloaded"),
            Self::ShuttingDown => retryable(1102, "shutting_down"),
            Self::StorageFull => retryable(1103, "storage_full"),
            Self::PermissionDenied => fatal(1104, "permission_denied"),
            Self::LineTooLong => fatal(1105, "line_too_long"),
            Self::OutcomeUnknown => retryable(1106, "outcome_unknown"),
            Self::StoreUnavailable => retryable(1107, "store_unavailable"),
            Self::TooManyOrders => fatal(1108, "too_many_orders"),
            Self::SinkNotFound => fatal(1201, "sink_not_found"),
            Self::SinkAttached => retryable(1202, "sink_attached"),
            Self::SinkNotAttachable => fatal(1203, "sink_not_attachable"),
            Self::ProtocolNotSupported => fatal(1204, "protocol_not_supported"),
            Self::LaneNotFound => fatal(1205, "lane_not_found"),
            Self::OutOfRange => fatal(1206, "out_of_range"),
            Self::ReplayNotFound => fatal(1207, "replay_not_found"),
            Self::SinkConfigured => fatal(1208, "sink_configured"),
            Self::NotTheRelay => retryable(1209, "not_the_relay"),
        }
    }

    pub(super) const fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::OrderNotFound(_) => Self::OrderNotFound,
            Refusal::OrderExists(_) => Self::OrderExists,
            Refusal::InvalidTransition(_) => Self::InvalidTransition,
            Refusal::CommandIdConflict(_) => Self::CommandIdConflict,
            Refusal::Overloaded => Self::Overloaded,
            Refusal::ShuttingDown => Self::ShuttingDown,
            Refusal::StorageFull => Self::StorageFull,
            Refusal::StoreUnavailable(_) => Self::StoreUnavailable,
            Refusal::NotStorable(_) => Self::InvalidParams,
            Refusal::OutcomeUnknown => Self::OutcomeUnknown,
            Refusal::TooManyOrders(_) => Self::TooManyOrders,
            Refusal::Operator(refusal) => Self::of_operator(refusal),
        }
    }

    const fn of_operator(refusal: &OperatorRefusal) -> Self {
        match refusal {
            OperatorRefusal::SinkNotFound(_) => Self::SinkNotFound,
            OperatorRefusal::LaneNotFound { .. } => Self::LaneNotFound,
            OperatorRefusal::OutOfRange { .. } => Self::OutOfRange,
            OperatorRefusal::ReplayNotFound(_) => Self::ReplayNotFound,
            OperatorRefusal::TooManyReplays { .. } | OperatorRefusal::NotYet(_) => Self::Overloaded,
            OperatorRefusal::SinkConfigured(_) => Self::SinkConfigured,
            OperatorRefusal::Invalid(_) => Self::InvalidParams,
            OperatorRefusal::Unreadable(_) => Self::InternalError,
        }
    }
}

/// An error with its message: one line that says what was wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcError {
    pub(super) kind: ErrorKind,
    pub(super) message: Cow<'static, str>,
}

impl RpcError {
    pub(super) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<&Refusal> for RpcError {
    fn from(refusal: &Refusal) -> Self {
        Self::new(ErrorKind::of(refusal), refusal.to_string())
    }
}

/// A client's value as a message may repeat it: not more than is needed to recognise it, and nothing that could play
/// tricks on a terminal.
pub(super) fn excerpt(value: Value<'_>) -> String {
    const CHARS_MAX: usize = 40;
    let text = match value.kind {
        // As it is meant, not as it is spelled.
        Kind::Escaped => value.as_str().map_or(Cow::Borrowed(value.text), |text| Cow::Owned(format!("\"{text}\""))),
        Kind::Plain | Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => value.text.into(),
    };
    let mut shown: String = text.chars().take(CHARS_MAX).map(harmless).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A character, unless it could play tricks on a terminal: control characters, and marks that break or reorder lines.
fn harmless(c: char) -> char {
    let deceiving = matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || deceiving { '\u{fffd}' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_repeats_little_and_stays_on_one_line() {
        let excerpt = |text, kind| excerpt(Value { text, kind });
        assert_eq!(excerpt(r#""a\tb\u009b31m\u0063""#, Kind::Escaped), "\"a\u{fffd}b\u{fffd}31mc\"");
        assert_eq!(excerpt(r#""\ud800""#, Kind::Escaped), r#""\ud800""#);
        assert_eq!(excerpt("[\r]", Kind::Array), "[\u{fffd}]");
        assert_eq!(excerpt("\"a\u{202e}b\"", Kind::Plain), "\"a\u{fffd}b\"");
        assert_eq!(excerpt(&format!("\"{}\"", "ü".repeat(1000)), Kind::Plain).chars().count(), 41);
    }
}
