//! Times in results: RFC 3339 with microseconds and `Z`, for `#[serde(serialize_with)]`. Stored forms keep integers.

use serde::Serializer;

use crate::domain::Timestamp;

/// A time as text.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// A time as text, or null.
///
/// # Errors
/// The serializer's.
pub fn serialize_option<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}
