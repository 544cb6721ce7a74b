//! What must hold of everything that the program is handed.

use std::collections::{BTreeMap, BTreeSet};

use orderd::contracts::{LaneState, SinkRecord};
use orderd::domain::{OrderId, OrderState};

use super::program::HandedOut;

/// What clients, program and operator know, over all runs of the daemon.
#[derive(Debug, Default)]
pub struct Expectations {
    /// Order and version of each event; number 1 first.
    pub events: Vec<(OrderId, u64)>,
    /// The orders as they are.
    pub orders: Vec<OrderState>,
    bytes: BTreeMap<u64, String>,
    /// What the program's target has.
    pub delivered: BTreeSet<u64>,
    /// What the daemon was told of, too, and has read.
    heard: BTreeSet<u64>,
    /// Of these, those that may come again, because the daemon was killed since.
    may_come_again: BTreeSet<u64>,
    came_again: u64,
    /// Events that an operator has skipped, one by one.
    pub skipped: BTreeSet<u64>,
    /// Ranges that an operator has skipped.
    pub ranges: Vec<(u64, u64)>,
    /// Orders that an operator has parked by hand.
    pub held: BTreeSet<OrderId>,
    /// Whether an operator has paused the sink.
    pub paused: bool,
}

/// After a kill, at most so much comes again of what is not parked: what the cursor had not recorded yet.
pub const AGAIN_MAX: u64 = 10 + 2 * 8 + 8;

impl Expectations {
    /// A client was told that an order was changed, which raised the next event.
    pub fn changed(&mut self, order: &OrderState) {
        self.events.push((order.order_id, u64::from(order.version)));
        match self.orders.iter_mut().find(|known| known.order_id == order.order_id) {
            Some(known) => *known = *order,
            None => self.orders.push(*order),
        }
    }

    /// The last event's number.
    pub fn last(&self) -> u64 {
        self.events.len() as u64
    }

    /// The daemon has read that these were delivered.
    pub fn heard(&mut self, sequences: impl IntoIterator<Item = u64>) {
        self.heard.extend(sequences);
    }

    /// The daemon was killed: what its cursor does not say comes again.
    pub fn killed(&mut self) {
        self.may_come_again = self.heard.clone();
        self.came_again = 0;
    }

    /// The program is handed an event beside what it has not answered.
    pub fn handed_out<'a>(
        &mut self,
        out: &HandedOut,
        beside: impl Iterator<Item = &'a HandedOut>,
        record: &SinkRecord,
    ) -> Result<(), String> {
        let sequence = out.sequence;
        let place = usize::try_from(sequence).ok().and_then(|number| self.events.get(number.checked_sub(1)?));
        let Some((order_id, version)) = place.copied() else { return Err(format!("there is no event {sequence}")) };
        let known = self.bytes.entry(sequence).or_insert_with(|| out.event.clone());
        if *known != out.event {
            return Err(format!("event {sequence} has other bytes: {known} / {}", out.event));
        }
        if !out.event.contains(&format!("\"subject\":\"{order_id}\"")) {
            return Err(format!("event {sequence} is not of order {order_id}: {}", out.event));
        }
        if self.paused {
            return Err(format!("event {sequence} is handed out while the sink is paused"));
        }
        if out.replayed {
            return Ok(());
        }
        let of_order = |number: u64| usize::try_from(number).ok().and_then(|number| self.events.get(number - 1));
        let mut beside = beside.filter(|other| !other.replayed);
        if beside.any(|other| of_order(other.sequence).is_some_and(|(other, _)| *other == order_id)) {
            return Err(format!("event {sequence}: another one of its order is unanswered"));
        }
        let earlier = (1..)
            .zip(&self.events)
            .find(|(number, (other, earlier))| *other == order_id && *earlier < version && !self.has_ended(*number));
        if let Some((number, _)) = earlier {
            return Err(format!("OVERTAKEN: event {sequence} is handed out before event {number} of its order"));
        }
        if self.skipped.contains(&sequence) {
            return Err(format!("event {sequence} is handed out, and was skipped"));
        }
        // A lane whose held events all went through is gone; what was on its way to join it is handed out.
        let state = record.lanes.get(&order_id).map(|lane| lane.state);
        if self.held.contains(&order_id) && matches!(state, Some(LaneState::Held | LaneState::Retrying)) {
            return Err(format!("event {sequence} is handed out, and its lane was parked by hand; it is {state:?}"));
        }
        self.held.remove(&order_id);
        self.may_it_come(sequence, order_id, record)
    }

    /// What the daemon was told of comes again after a kill only, and then not all of it.
    fn may_it_come(&mut self, sequence: u64, order_id: OrderId, record: &SinkRecord) -> Result<(), String> {
        if !self.heard.contains(&sequence) {
            return Ok(());
        }
        if !self.may_come_again.remove(&sequence) {
            return Err(format!("AGAIN: event {sequence} was delivered, and is handed out again"));
        }
        self.heard.remove(&sequence);
        self.came_again += u64::from(!record.lanes.contains_key(&order_id));
        if self.came_again > AGAIN_MAX {
            return Err(format!("AGAIN: {} events came again after one kill", self.came_again));
        }
        Ok(())
    }

    /// Whether an event was delivered, or skipped by an operator.
    pub fn has_ended(&self, sequence: u64) -> bool {
        self.delivered.contains(&sequence)
            || self.skipped.contains(&sequence)
            || self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }

    /// Everything was delivered, or skipped by an operator.
    pub fn judge_end(&self) -> Result<(), String> {
        match (1..=self.last()).find(|sequence| !self.has_ended(*sequence)) {
            Some(sequence) => Err(format!("LOST: event {sequence} was neither delivered nor skipped by an operator")),
            None => Ok(()),
        }
    }
}
