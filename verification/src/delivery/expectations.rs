//! What must hold of everything that the program is handed.

use std::collections::{BTreeMap, BTreeSet};

use orderd::contracts::{LaneState, SinkRecord};
use orderd::domain::{OrderId, OrderState};

use super::item::Item;
use super::program::HandedOut;

/// What clients, program and operator know, over all runs of the daemon.
#[derive(Debug, Default)]
pub struct Expectations {
    /// Order and version of each event; number 1 first.
    pub events: Vec<(OrderId, u64)>,
    /// The orders as they are.
    pub orders: Vec<OrderState>,
    /// The orders as they were when the sink was first seen, if it starts with a snapshot.
    pub rows: Vec<OrderState>,
    /// The last event then; the sink gets those after it.
    pub position: u64,
    bytes: BTreeMap<Item, String>,
    /// What the program's target has.
    pub delivered: BTreeSet<Item>,
    /// What the daemon was told of, too, and has read.
    heard: BTreeSet<Item>,
    /// Of these, those that may come again, because the daemon was killed since.
    may_come_again: BTreeSet<Item>,
    came_again: u64,
    /// What an operator has skipped, one by one.
    pub skipped: BTreeSet<Item>,
    /// What was passed over in ranges.
    pub passed: BTreeSet<Item>,
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

    /// From here on the sink is known: it starts with a snapshot of what there is.
    pub fn start_with_snapshot(&mut self) {
        (self.rows, self.position) = (self.orders.clone(), self.last());
    }

    /// The last event's number.
    pub fn last(&self) -> u64 {
        self.events.len() as u64
    }

    /// What the program was handed.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn item(&self, out: &HandedOut) -> Result<Item, String> {
        if out.is_snapshot {
            let row = self.rows.iter().position(|order| order.order_id.to_string() == out.subject);
            let row = row.filter(|_| out.sequence == self.position && !out.replayed);
            return row.map(Item::Row).ok_or_else(|| format!("no such order is in the snapshot: {}", out.event));
        }
        let is_there = (1..=self.last()).contains(&out.sequence);
        let item = is_there.then_some(Item::Event(out.sequence));
        item.ok_or_else(|| format!("there is no event {}", out.sequence))
    }

    /// What an operator means by an order's event of this number.
    pub fn parked_item(&self, order_id: OrderId, sequence: u64) -> Item {
        let row = self.rows.iter().position(|order| order.order_id == order_id && sequence == self.position);
        row.map_or(Item::Event(sequence), Item::Row)
    }

    /// The order and the version that an item shows.
    pub fn order_of(&self, item: Item) -> Option<(OrderId, u64)> {
        match item {
            Item::Row(row) => self.rows.get(row).map(|order| (order.order_id, u64::from(order.version))),
            Item::Event(number) => self.events.get(usize::try_from(number).ok()?.checked_sub(1)?).copied(),
        }
    }

    /// Everything that the sink is to get, the snapshot first.
    pub fn items(&self) -> impl Iterator<Item = Item> + use<> {
        (0..self.rows.len()).map(Item::Row).chain((self.position + 1..=self.last()).map(Item::Event))
    }

    /// The daemon has read that these were delivered.
    pub fn heard(&mut self, items: impl IntoIterator<Item = Item>) {
        self.heard.extend(items);
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
        let item = self.item(out)?;
        let known = self.bytes.entry(item).or_insert_with(|| out.event.clone());
        if *known != out.event {
            return Err(format!("{item:?} has other bytes: {known} / {}", out.event));
        }
        let Some((order_id, version)) = self.order_of(item) else { return Err(format!("there is no {item:?}")) };
        let shows = [format!("\"subject\":\"{order_id}\""), format!("\"orderversion\":{version},")];
        if !shows.iter().all(|text| out.event.contains(text)) {
            return Err(format!("{item:?} is not version {version} of order {order_id}: {}", out.event));
        }
        if self.paused {
            return Err(format!("{item:?} is handed out while the sink is paused"));
        }
        if out.replayed {
            return Ok(());
        }
        let mut beside = beside.filter(|other| !other.replayed);
        if beside.any(|other| other.subject == out.subject) {
            return Err(format!("{item:?}: another one of its order is unanswered"));
        }
        self.is_in_turn(item, order_id, version, record)?;
        if self.skipped.contains(&item) {
            return Err(format!("{item:?} is handed out, and was skipped"));
        }
        // A lane whose held events all went through is gone; what was on its way to join it is handed out.
        let state = record.lanes.get(&order_id).map(|lane| lane.state);
        if self.held.contains(&order_id) && matches!(state, Some(LaneState::Held | LaneState::Retrying)) {
            return Err(format!("{item:?} is handed out, and its lane was parked by hand; it is {state:?}"));
        }
        self.held.remove(&order_id);
        self.may_it_come(item, order_id, record)
    }

    /// Every earlier one of its order has ended; and the whole snapshot, as far as it is not parked.
    fn is_in_turn(&self, item: Item, order_id: OrderId, version: u64, record: &SinkRecord) -> Result<(), String> {
        let is_earlier = |other: &Item| {
            self.order_of(*other).is_some_and(|(of, earlier)| of == order_id && earlier < version && *other < item)
        };
        if let Some(earlier) = self.items().find(|other| is_earlier(other) && !self.has_ended(*other)) {
            return Err(format!("OVERTAKEN: {item:?} is handed out before {earlier:?} of its order"));
        }
        let is_parked = |row: &OrderState| record.lanes.contains_key(&row.order_id);
        let mut open = (0..self.rows.len()).filter(|row| !self.has_ended(Item::Row(*row)));
        let open = open.find(|row| self.rows.get(*row).is_some_and(|row| !is_parked(row)));
        match (item, open) {
            (Item::Event(_), Some(row)) => Err(format!("OVERTAKEN: {item:?} is handed out before row {row}")),
            (Item::Event(_) | Item::Row(_), _) => Ok(()),
        }
    }

    /// What the daemon was told of comes again after a kill only, and then not all of it.
    fn may_it_come(&mut self, item: Item, order_id: OrderId, record: &SinkRecord) -> Result<(), String> {
        if !self.heard.contains(&item) {
            return Ok(());
        }
        if !self.may_come_again.remove(&item) {
            return Err(format!("AGAIN: {item:?} was delivered, and is handed out again"));
        }
        self.heard.remove(&item);
        self.came_again += u64::from(!record.lanes.contains_key(&order_id));
        if self.came_again > AGAIN_MAX {
            return Err(format!("AGAIN: {} events came again after one kill", self.came_again));
        }
        Ok(())
    }

    /// Whether an item was delivered, or skipped by an operator.
    pub fn has_ended(&self, item: Item) -> bool {
        self.delivered.contains(&item) || self.skipped.contains(&item) || self.passed.contains(&item)
    }

    /// Everything was delivered, or skipped by an operator.
    pub fn judge_end(&self) -> Result<(), String> {
        match self.items().find(|item| !self.has_ended(*item)) {
            Some(item) => Err(format!("LOST: {item:?} was neither delivered nor skipped by an operator")),
            None => Ok(()),
        }
    }
}
