//! Limits that a schedule meets often.

use std::time::Duration;

use super::Limits;

pub(super) fn random(random: &mut fastrand::Rng, seed: u64) -> Limits {
    let in_flight_max = random.usize(1..=12);
    Limits {
        in_flight_max,
        in_flight_bytes_max: random.usize(50..1000),
        window_events_max: in_flight_max + random.usize(0..30),
        answer_max: Duration::from_millis(1000),
        attempts_max: random.u32(1..5),
        parked_events_max: random.u64(3..40),
        parked_bytes_max: 100_000,
        rejected_in_a_row_max: random.usize(2..8),
        rate_events_per_s_max: random.bool().then_some(1000),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(300),
        delivered_delay_max: Duration::from_millis(20),
        delivered_events_max: 5,
        slow_start_events: 16,
        detaches_in_a_row_max: 3,
        retry_after_max: Duration::from_secs(3600),
        seed,
    }
}
