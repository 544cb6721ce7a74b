//! Why a question to the daemon has no result.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The code of an unknown method.
const METHOD_NOT_FOUND: i64 = -32_601;

/// Why there is no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Nobody listens, or the connection broke.
    #[error("the daemon cannot be reached: {0}")]
    Unreachable(String),
    /// The socket's permissions do not let the console in.
    #[error("the console may not use the daemon's socket: {0}")]
    Forbidden(String),
    /// No answer in time.
    #[error("the daemon did not answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The daemon's answer is not one.
    #[error("the daemon's answer cannot be read: {0}")]
    Unreadable(String),
    /// The daemon refused.
    #[error("{}", .0.message)]
    Refused(ErrorObject),
    /// As many questions as allowed are waiting for the daemon already.
    #[error("too many questions are waiting for the daemon; try again")]
    Busy,
}

/// The error of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorObject {
    /// Its number.
    pub code: i64,
    /// What was wrong and what would be right.
    pub message: String,
    /// The error's name, and whether the same request may succeed later.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Forbidden(error.to_string())
        } else {
            Self::Unreachable(error.to_string())
        }
    }
}

impl CallError {
    /// The error's name: the daemon's own, or the console's for what the daemon did not say.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Unreachable(_) => "daemon_unreachable",
            Self::Forbidden(_) => "socket_forbidden",
            Self::Silent(_) => "daemon_silent",
            Self::Unreadable(_) => "answer_unreadable",
            Self::Busy => "console_busy",
            Self::Refused(error) => error.data.get("kind").and_then(Value::as_str).unwrap_or("refused"),
        }
    }

    /// Whether the daemon does not know the method: it is older than the console.
    #[must_use]
    pub fn is_missing_method(&self) -> bool {
        matches!(self, Self::Refused(error) if error.code == METHOD_NOT_FOUND)
    }

    /// Whether the daemon does not let the console's user ask that.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.kind() == "permission_denied"
    }

    /// As the daemon's protocol writes errors.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Refused(error) => json!(error),
            Self::Unreachable(_) | Self::Forbidden(_) | Self::Silent(_) | Self::Unreadable(_) | Self::Busy => json!({
                "code": 0,
                "message": self.to_string(),
                "data": {"kind": self.kind(), "retryable": true},
            }),
        }
    }
}
