//! Why an order was cancelled.

use serde::{Deserialize, Serialize};

/// A customer-facing text of at most [`CancelReason::CHARS_MAX`] characters; it may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CancelReason(Box<str>);

/// A reason that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason has at most {max} characters; this one has {0}", max = CancelReason::CHARS_MAX)]
pub struct ReasonError(usize);

impl CancelReason {
    /// Counted in Unicode scalar values.
    pub const CHARS_MAX: usize = 500;

    /// Checks the length.
    ///
    /// # Errors
    /// More than [`CancelReason::CHARS_MAX`] characters.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, ReasonError> {
        let text = text.into();
        // A text of few bytes cannot have too many characters: no need to count.
        let chars = if text.len() <= Self::CHARS_MAX { 0 } else { text.chars().count() };
        if chars > Self::CHARS_MAX { Err(ReasonError(chars)) } else { Ok(Self(text)) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CancelReason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        Self::new(text)
    }
}

impl From<CancelReason> for String {
    fn from(reason: CancelReason) -> Self {
        reason.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_measured_in_characters_not_bytes() {
        assert!(CancelReason::new("ü".repeat(500)).is_ok());
        assert_eq!(CancelReason::new("ü".repeat(501)), Err(ReasonError(501)));
        assert!(CancelReason::new("").is_ok());
    }
}
