//! What a subscription needs to know, and what it works with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::contracts::{Clock, DecisionBatch, EventHistory, OrderRows, ReplayProgress, Sequence};
use crate::domain::OrderId;
use crate::relay::scheduler::Limits;
use crossbeam_channel::Sender;

/// What the configuration says about one subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionSettings {
    /// The sink's name.
    pub name: Arc<str>,
    /// What it hands out at most.
    pub limits: Limits,
    /// `relay.cursor_events_max`
    pub cursor_events_max: u64,
    /// `relay.cursor_ms_max`
    pub cursor_delay_max: Duration,
    /// How long outcomes of what is in flight are still taken when the daemon stops.
    pub drain_max: Duration,
    /// `delivered_tags_max`
    pub delivered_tags_max: usize,
    /// `failures_listed_max`
    pub failures_listed_max: usize,
    /// `server.line_bytes_max`
    pub line_bytes_max: usize,
    /// The daemon's own user, for decisions that nobody asked for.
    pub uid: u32,
    /// The store's epoch, which a program that attaches is told.
    pub epoch: u32,
}

/// What a subscription works with.
pub struct SubscriptionPorts {
    /// Reads the outbox.
    pub history: Arc<dyn EventHistory>,
    /// Shows the orders, for a snapshot.
    pub rows: Arc<dyn OrderRows>,
    /// Of the orders whose lanes are parked, the rows in that snapshot, from 1.
    pub lane_rows: HashMap<OrderId, Sequence>,
    /// Where decisions become plans.
    pub decide: Sender<DecisionBatch>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Where the progress of replays is kept.
    pub replays: Arc<dyn ReplayProgress>,
}
