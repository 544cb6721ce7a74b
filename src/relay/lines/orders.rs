//! What operators have decided about a `file` or `stdout` sink.

use crate::contracts::{Sequence, SinkRecord};

/// Whether the sink is paused, and what it is to pass over.
pub(super) struct Orders {
    pub(super) paused: bool,
    /// Ranges that are passed over for good and were not passed yet.
    pub(super) skips: Vec<(Sequence, Sequence)>,
}

impl Orders {
    pub(super) fn new(record: Option<&SinkRecord>) -> Self {
        let skips = record.map_or_else(Vec::new, |record| record.skipped.clone());
        Self { paused: record.is_some_and(|record| record.paused), skips }
    }
}
