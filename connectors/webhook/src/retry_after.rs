//! The field `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

/// How long the target wants to be left alone: seconds or a date, at most `max`. None where the value cannot be read or
/// asks for no wait at all: then the daemon's own back-off decides.
pub fn parse(value: &str, now: DateTime<Utc>, max: Duration) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        // All digits, and more than fit: for ever.
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => max,
        Err(_) => (date(value)? - now).to_std().ok()?,
    };
    Some(wait.min(max)).filter(|wait| !wait.is_zero())
}

/// The three forms of an HTTP date.
fn date(value: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc2822(value) {
        return Some(date.to_utc());
    }
    let forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    forms.into_iter().find_map(|form| NaiveDateTime::parse_from_str(value, form).ok()).map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_capped() {
        let now = DateTime::parse_from_rfc3339("1994-11-06T08:49:00.5Z").unwrap().to_utc();
        let parse = |value| parse(value, now, Duration::from_secs(3_600)).map(|wait| wait.as_millis());
        assert_eq!(parse("120"), Some(120_000));
        assert_eq!(parse(" 1 "), Some(1_000));
        assert_eq!(parse("7200"), Some(3_600_000));
        assert_eq!(parse("99999999999999999999999"), Some(3_600_000));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(36_500));
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), Some(36_500));
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), Some(36_500));
        assert_eq!(parse("Sat, 06 Nov 2094 08:49:37 GMT"), Some(3_600_000));
        for nothing in ["0", "-5", "soon", "", "Sun, 06 Nov 1994 08:48:00 GMT"] {
            assert_eq!(parse(nothing), None, "{nothing:?}");
        }
    }
}
