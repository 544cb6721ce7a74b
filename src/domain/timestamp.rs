//! Points in time with the precision that orderd stores and shows: microseconds.

use std::fmt;

use chrono::{DateTime, Utc};
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

    /// RFC 3339 in UTC with six digits of a second and `Z`, always of the same length. By hand, because answers and
    /// events are full of times, and a general formatter takes longer for one than all the rest of the line.
    #[must_use]
    pub fn rfc3339(self) -> [u8; 27] {
        const DAY_MICROS: u64 = 86_400_000_000;
        const CYCLE_DAYS: u64 = 146_097; // 400 years of the Gregorian calendar
        const JANUARY_AND_LEAP_FEBRUARY: u64 = 60;
        let micros = self.0.saturating_sub(Self::MIN.0).cast_unsigned();
        let in_day = micros % DAY_MICROS;
        // Years that begin in March have their leap day at the end; one cycle ahead, so that nothing is negative.
        let days = micros / DAY_MICROS + CYCLE_DAYS - JANUARY_AND_LEAP_FEBRUARY;
        let (cycle, in_cycle) = (days / CYCLE_DAYS, days % CYCLE_DAYS);
        let year_in_cycle = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
        let in_year = in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
        let month_from_march = (5 * in_year + 2) / 153;
        let day = in_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_in_cycle + cycle * 400 + u64::from(month <= 2) - 400;
        let second = in_day / 1_000_000;
        let fraction = in_day % 1_000_000;
        let ([y1, y2], [y3, y4], [m1, m2], [d1, d2]) = (digits(year / 100), digits(year), digits(month), digits(day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (digits(second / 3600), digits(second / 60 % 60), digits(second % 60));
        let ([f1, f2], [f3, f4], [f5, f6]) = (digits(fraction / 10_000), digits(fraction / 100), digits(fraction));
        [
            y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1, f2, f3, f4,
            f5, f6, b'Z',
        ]
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
    /// As [`Timestamp::rfc3339`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rfc3339();
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// Two decimal digits.
#[inline]
const fn digits(number: u64) -> [u8; 2] {
    let number = (number % 100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
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

    #[test]
    fn every_day_of_the_first_and_last_400_years_is_written_as_chrono_writes_it() {
        const DAY_MICROS: i64 = 86_400_000_000;
        let last = Timestamp::MAX.micros() / DAY_MICROS;
        for day in (0..146_098).flat_map(|day| [Timestamp::MIN.micros() / DAY_MICROS + day, last - day]) {
            let micros = day * DAY_MICROS + day * 7_919_000_003 % DAY_MICROS;
            let micros = micros.clamp(Timestamp::MIN.micros(), Timestamp::MAX.micros());
            let chrono_says = DateTime::<Utc>::from_timestamp_micros(micros).unwrap();
            let chrono_says = chrono_says.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            assert_eq!(Timestamp::from_micros(micros).unwrap().to_string(), chrono_says);
        }
    }
}
