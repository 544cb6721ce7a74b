//! The limits of one sink's scheduler.

use std::time::Duration;

/// What the configuration says of one sink; see `[relay]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Events handed out and not answered.
    pub in_flight_max: usize,
    /// Their bytes; one event is always allowed.
    pub in_flight_bytes_max: usize,
    /// Events after the prefix that are looked at.
    pub window_events_max: usize,
    /// How long an event may stay unanswered.
    pub answer_max: Duration,
    /// Failures, or detaches alone in flight, after which a lane is parked.
    pub attempts_max: u32,
    /// Parked events at which the sink halts.
    pub parked_events_max: u64,
    /// Bytes of parked events at which the sink halts.
    pub parked_bytes_max: u64,
    /// Different lanes rejected with nothing delivered in between at which the sink halts.
    pub rejected_in_a_row_max: usize,
    /// Events handed out per second; `None` for no limit.
    pub rate_events_per_s_max: Option<u32>,
    /// Events in flight at first, after attaching and after an outage.
    pub slow_start_events: usize,
    /// Detaches in a row without an outcome after which one event at a time is handed out.
    pub detaches_in_a_row_max: u32,
    /// The longest wait that a program may ask for.
    pub retry_after_max: Duration,
    /// The first wait after a failure.
    pub backoff_min: Duration,
    /// The longest wait that a back-off chooses.
    pub backoff_max: Duration,
    /// How long a delivered event of a parked lane may stay without its decision.
    pub delivered_delay_max: Duration,
    /// How many of them may.
    pub delivered_events_max: usize,
    /// Decides all jitter.
    pub seed: u64,
}

impl Limits {
    /// While nothing gets through, how long an event that was never tried waits for the one before.
    pub const STALLED_WAIT: Duration = Duration::from_secs(1);
}
