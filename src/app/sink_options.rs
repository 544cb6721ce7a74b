//! What the configuration says about one sink.

use std::sync::Arc;

use crate::config::SinkStart;
use crate::relay::WorkerSettings;
use crate::relay::scheduler::Limits;

/// One sink.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Its worker's limits.
    pub worker: WorkerSettings,
    /// Where it starts if it was not seen before.
    pub start: SinkStart,
    /// How a subscription's events are handed out.
    pub limits: Limits,
    /// Events that a program may answer with one `delivered`.
    pub delivered_tags_max: usize,
    /// Replays that run at once.
    pub replays_max: usize,
    /// The users beside the operators who may attach to it.
    pub consumer_uids: Vec<u32>,
    /// The daemon that relays it, where several share a store; `None` for any.
    pub daemon: Option<String>,
}

impl SinkOptions {
    /// How many replays of which sink may run at once.
    pub(super) fn replays_max(&self) -> (Arc<str>, usize) {
        (self.worker.name.as_str().into(), self.replays_max)
    }
}
