//! Amounts of money.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A non-negative amount in cents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cents(u64);

/// An amount beyond [`Cents::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} cents is too much: the most is {max}", max = Cents::MAX)]
pub struct CentsError(u64);

impl Cents {
    /// 2^53 - 1: the largest integer that every JSON reader keeps exact (RFC 8259, section 6).
    pub const MAX: Self = Self(9_007_199_254_740_991);

    /// Checks the upper bound.
    ///
    /// # Errors
    /// More than [`Cents::MAX`].
    pub const fn new(cents: u64) -> Result<Self, CentsError> {
        if cents > Self::MAX.0 { Err(CentsError(cents)) } else { Ok(Self(cents)) }
    }

    /// The count of cents.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_end_where_json_readers_begin_to_round() {
        assert_eq!(Cents::new(0).unwrap().get(), 0);
        assert_eq!(Cents::new((1 << 53) - 1).unwrap(), Cents::MAX);
        assert_eq!(Cents::new(1 << 53), Err(CentsError(1 << 53)));
    }
}
