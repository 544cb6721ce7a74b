//! Points in time with the precision that orderd stores and shows: microseconds.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted; always within [`Timestamp::MIN`] and
/// [`Timestamp::MAX`], so that it can always be written as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

/// A point in time that RFC 3339's four-digit years cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} microseconds is outside of the years 0 to 9999")]
pub struct TimestampError(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Checks the range.
    ///
    /// # Errors
    /// A year that RFC 3339 cannot say.
    pub const fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 { Err(TimestampError(micros)) } else { Ok(Self(micros)) }
    }

    /// The instant, cut to whole microseconds and to the range.
    #[must_use]
    pub fn from_datetime(instant: DateTime<Utc>) -> Self {
        Self(instant.timestamp_micros().clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds from `earlier` to this; 0 if this is not later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0) / 1000).unwrap_or(0)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = TimestampError;

    fn try_from(micros: i64) -> Result<Self, TimestampError> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with six digits of a second and `Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = DateTime::<Utc>::from_timestamp_micros(self.0).unwrap_or_default();
        f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_six_digits_and_z_over_the_whole_range() {
        let shown = |micros| Timestamp::from_micros(micros).unwrap().to_string();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(shown(1_795_000_000_000_001), "2026-11-18T11:06:40.000001Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
        assert!(Timestamp::from_micros(Timestamp::MAX.micros() + 1).is_err());
        assert!(Timestamp::from_micros(Timestamp::MIN.micros() - 1).is_err());
    }
}
