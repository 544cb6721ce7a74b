//! One replay: a stream of its own.

use std::collections::HashSet;

use uuid::Uuid;

use super::in_flight::Flight;
use super::stream::Stream;
use crate::contracts::Sequence;
use crate::relay::rate::Rate;

/// A running replay.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) id: Uuid,
    pub(super) stream: Stream,
    pub(super) rate: Rate,
    pub(super) to: Sequence,
    pub(super) settled: HashSet<Sequence, foldhash::fast::RandomState>,
    pub(super) delivered: u64,
    pub(super) failed: u64,
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReplayFigures {
    /// Everything up to here is settled or left out.
    pub prefix: Sequence,
    /// Events after the prefix that are, too.
    pub settled: Vec<Sequence>,
    /// Events that the sink took.
    pub delivered: u64,
    /// Events that were given up.
    pub failed: u64,
}

impl Replay {
    pub(super) fn settle(&mut self, flight: &Flight) {
        self.stream.landed(flight.order_id);
        if let Some(lane) = self.stream.lanes.get_mut(&flight.order_id) {
            lane.trouble = None;
        }
        self.stream.settle(flight.order_id, flight.sequence);
        self.stream.refresh(flight.order_id);
    }
}
