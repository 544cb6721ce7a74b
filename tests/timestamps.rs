//! Times on the wire: RFC 3339, UTC, microseconds, `Z`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::support::{Client, Daemon, Store, events_of};

/// Holds a time to its form and reads it.
#[track_caller]
fn time(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().expect("a time is a string");
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00T00:00:00.000000Z", "{text}");
    DateTime::parse_from_rfc3339(text).expect("an RFC 3339 time").with_timezone(&Utc)
}

/// The wall clock, cut to what the wire shows.
#[allow(clippy::disallowed_methods, reason = "the test compares the daemon's times with the machine's")]
fn now() -> DateTime<Utc> {
    let micros = Utc::now().timestamp_micros();
    DateTime::from_timestamp_micros(micros).unwrap()
}

#[test]
fn times_are_utc_with_microseconds_and_say_when_it_happened() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let mut client = Client::connect(&store);
    let mut last = now();
    for amount in 0..20 {
        let order = client.place(amount);
        let id = json!({"order_id": order});
        client.result("order.complete", id.clone());
        let order = client.result("order.cancel", id)["order"].clone();
        for key in ["placed_at", "completed_at", "cancelled_at"] {
            let at = time(&order[key]);
            assert!(at >= last, "{key} {at} is before {last}");
            last = at;
        }
        assert!(last <= now(), "{last} is in the future");
    }
    for event in events_of(&store, 60) {
        time(&event["time"]);
    }
}
