//! The orders, in memory: rows in the order of their insertion, and an index from id to row.

use std::hash::BuildHasher;
use std::hint::black_box;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::order_row::PackedRow;
use super::outbox_muts;
use crate::contracts::{Lsn, Mutation, OrderNotFound, OrderRepository, OrderRow, OrderUpdate, RetrieveError};
use crate::domain::{Field, Order, OrderId, OrderState, Timestamp};

/// All orders.
///
/// Rows are never removed, so a row's number is its name for ever. They lie in chunks that are never moved, and the
/// index is split into many small tables: nothing here ever pauses to copy everything because it has grown.
#[derive(Debug)]
pub struct OrderTable {
    chunks: Vec<Vec<PackedRow>>,
    /// Rows by the hash of the order's id. A seeded hash: clients choose ids.
    index: Vec<HashTable<IndexEntry>>,
    hasher: RandomState,
}

/// A row's number with half of its id's hash: a table grows, and most strangers are turned away, without a look at
/// the rows, which lie all over the memory.
#[derive(Debug, Clone, Copy)]
struct IndexEntry {
    row: u32,
    half_hash: u32,
}

/// Where an id belongs: one half of its hash chooses the table, the other the place in it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    table: usize,
    half_hash: u32,
}

impl Slot {
    const fn of(hash: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = hash.to_le_bytes();
        Self {
            table: u32::from_le_bytes([a, b, c, d]) as usize % INDEX_TABLES,
            half_hash: u32::from_le_bytes([e, f, g, h]),
        }
    }
}

/// The hash that a table works with; it uses the lowest bits and the highest.
const fn table_hash(half_hash: u32) -> u64 {
    (half_hash as u64) << 32 | half_hash as u64
}

const CHUNK_ROWS: usize = 4096;
const INDEX_TABLES: usize = 1024;

/// Why an order was not added.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InsertError {
    #[error("row {0} has an order of the same id")]
    Exists(u32),
    #[error("there is no room for another order: there are 2^32")]
    TooMany,
    #[error("version {0} is higher than any order's")]
    Version(u32),
}

/// How to take back one change.
#[derive(Debug)]
pub(super) enum Undo {
    Remove(OrderId),
    Restore(u32, OrderRow),
}

impl Default for OrderTable {
    fn default() -> Self {
        let index = (0..INDEX_TABLES).map(|_| HashTable::new()).collect();
        Self { chunks: Vec::new(), index, hasher: RandomState::default() }
    }
}

impl OrderRepository for OrderTable {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, RetrieveError> {
        let found = self.find(order_id).map(|(_, row)| Order::rehydrate(row.state));
        Ok(found.ok_or(OrderNotFound(order_id))?)
    }

    fn update_mut(&self, order: &Order) -> Option<Mutation> {
        update_mut(order)
    }

    fn outbox_muts(&self, order: &mut Order) -> Vec<Mutation> {
        outbox_muts(order)
    }
}

/// The mutation that stores an order's changed fields and only those; none if nothing changed.
pub fn update_mut(order: &Order) -> Option<Mutation> {
    let (state, changes) = (order.state(), order.changes());
    if !changes.any() {
        return None;
    }
    if changes.is_changed(Field::PlacedAt) {
        return Some(Mutation::InsertOrder(*state));
    }
    let time = |field, time: Option<Timestamp>| time.filter(|_| changes.is_changed(field));
    Some(Mutation::UpdateOrder(OrderUpdate {
        order_id: state.order_id,
        from_version: order.stored_version(),
        version: state.version,
        customer_id: changes.is_changed(Field::CustomerId).then_some(state.customer_id),
        total_amount: changes.is_changed(Field::TotalAmount).then_some(state.total_amount),
        status: changes.is_changed(Field::Status).then_some(state.status),
        completed_at: time(Field::CompletedAt, state.completed_at),
        cancelled_at: time(Field::CancelledAt, state.cancelled_at),
    }))
}

impl OrderTable {
    /// How many orders there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1).saturating_mul(CHUNK_ROWS) + last.len())
    }

    /// An order and the number of its row.
    #[must_use]
    pub fn find(&self, order_id: OrderId) -> Option<(u32, OrderRow)> {
        let slot = Slot::of(self.hasher.hash_one(order_id));
        let table = self.index.get(slot.table)?;
        let entry = table.find(table_hash(slot.half_hash), |entry| is_row_of(&self.chunks, entry, slot, order_id))?;
        Some((entry.row, self.row(entry.row)?))
    }

    /// Brings orders, and where they stand in the index, into the processor's cache. Looked for one by one, each would
    /// wait for memory by itself; here no look-up needs what another finds, so the processor overlaps the waits.
    pub fn fetch(&self, order_ids: &[OrderId]) {
        const TOGETHER: usize = 64;
        for together in order_ids.chunks(TOGETHER) {
            let mut rows = [None; TOGETHER];
            for (row, order_id) in rows.iter_mut().zip(together) {
                let slot = Slot::of(self.hasher.hash_one(order_id));
                let is_it = |entry: &IndexEntry| entry.half_hash == slot.half_hash;
                let table = self.index.get(slot.table);
                *row = table.and_then(|table| table.find(table_hash(slot.half_hash), is_it)).map(|entry| entry.row);
            }
            let found = rows.into_iter().flatten().filter_map(|row| row_at(&self.chunks, row));
            let sum = found.fold(0_u64, |sum, row| sum ^ row.touch());
            black_box(sum);
        }
    }

    /// The order in a row.
    #[must_use]
    pub fn row(&self, row: u32) -> Option<OrderRow> {
        row_at(&self.chunks, row).map(PackedRow::unpack)
    }

    /// At most `count` rows, from row `from` on.
    pub fn rows(&self, from: usize, count: usize) -> impl Iterator<Item = OrderRow> {
        let skipped = from / CHUNK_ROWS;
        self.chunks.iter().skip(skipped).flatten().skip(from % CHUNK_ROWS).take(count).map(PackedRow::unpack)
    }

    /// Adds an order whose id is not there yet.
    pub(super) fn insert(&mut self, state: OrderState, lsn: Lsn) -> Result<(u32, Undo), InsertError> {
        let row = u32::try_from(self.count()).map_err(|_| InsertError::TooMany)?;
        let packed = PackedRow::of(&OrderRow { state, last_lsn: lsn }).ok_or(InsertError::Version(state.version))?;
        let slot = Slot::of(self.hasher.hash_one(state.order_id));
        let chunks = &self.chunks;
        let table = self.index.get_mut(slot.table).ok_or(InsertError::TooMany)?;
        let is_it = |entry: &IndexEntry| is_row_of(chunks, entry, slot, state.order_id);
        match table.entry(table_hash(slot.half_hash), is_it, |entry| table_hash(entry.half_hash)) {
            Entry::Occupied(there) => return Err(InsertError::Exists(there.get().row)),
            Entry::Vacant(place) => place.insert(IndexEntry { row, half_hash: slot.half_hash }),
        };
        push_row(&mut self.chunks, packed);
        Ok((row, Undo::Remove(state.order_id)))
    }

    /// Makes a repository of many orders at once: their rows first, then one table of the index after the other, each
    /// of which then fits the processor's cache. Orders that come one by one wait for memory at every insertion.
    pub(super) fn loader() -> OrderLoader {
        OrderLoader { repo: Self::default(), waiting: vec![Vec::new(); INDEX_TABLES] }
    }

    /// Applies an update to the version that it was made for.
    pub(super) fn update(&mut self, update: &OrderUpdate, lsn: Lsn) -> Result<(u32, Undo), String> {
        let order_id = update.order_id;
        let Some((row, before)) = self.find(order_id) else { return Err(format!("there is no order {order_id}")) };
        let Some(after) = update.applied_to(&before.state) else {
            let (version, from) = (before.state.version, update.from_version);
            return Err(format!("order {order_id} has version {version}, and the update was made from {from}"));
        };
        let packed = PackedRow::of(&OrderRow { state: after, last_lsn: lsn });
        let packed = packed.ok_or_else(|| format!("version {} is higher than any order's", after.version))?;
        self.set_row(row, packed);
        Ok((row, Undo::Restore(row, before)))
    }

    /// Takes a change back; changes are taken back in the opposite order of their making.
    pub(super) fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Restore(row, before) => {
                if let Some(packed) = PackedRow::of(&before) {
                    self.set_row(row, packed);
                }
            }
            Undo::Remove(order_id) => {
                let slot = Slot::of(self.hasher.hash_one(order_id));
                let chunks = &self.chunks;
                let is_it = |entry: &IndexEntry| is_row_of(chunks, entry, slot, order_id);
                let table = self.index.get_mut(slot.table);
                if let Some(Ok(entry)) = table.map(|table| table.find_entry(table_hash(slot.half_hash), is_it)) {
                    entry.remove();
                }
                if let Some(last) = self.chunks.last_mut() {
                    last.pop();
                    if last.is_empty() {
                        self.chunks.pop();
                    }
                }
            }
        }
    }

    fn set_row(&mut self, row: u32, packed: PackedRow) {
        let row = row as usize;
        let place = self.chunks.get_mut(row / CHUNK_ROWS).and_then(|chunk| chunk.get_mut(row % CHUNK_ROWS));
        if let Some(place) = place {
            *place = packed;
        }
    }
}

/// Orders on their way into a repository; see [`OrderTable::loader`].
pub(super) struct OrderLoader {
    repo: OrderTable,
    /// What each table of the index will hold.
    waiting: Vec<Vec<IndexEntry>>,
}

impl OrderLoader {
    /// Takes the next order.
    pub(super) fn push(&mut self, order: OrderRow) -> Result<(), InsertError> {
        let row = u32::try_from(self.repo.count()).map_err(|_| InsertError::TooMany)?;
        let packed = PackedRow::of(&order).ok_or(InsertError::Version(order.state.version))?;
        let slot = Slot::of(self.repo.hasher.hash_one(order.state.order_id));
        let waiting = self.waiting.get_mut(slot.table).ok_or(InsertError::TooMany)?;
        waiting.push(IndexEntry { row, half_hash: slot.half_hash });
        push_row(&mut self.repo.chunks, packed);
        Ok(())
    }

    /// Builds the index, and refuses orders of which there are two.
    pub(super) fn finish(self) -> Result<OrderTable, InsertError> {
        let Self { mut repo, waiting } = self;
        let chunks = &repo.chunks;
        for (table, entries) in repo.index.iter_mut().zip(waiting) {
            table.reserve(entries.len(), |entry| table_hash(entry.half_hash));
            for new in entries {
                let order_id = |entry: &IndexEntry| row_at(chunks, entry.row).map(PackedRow::order_id);
                let is_it = |entry: &IndexEntry| entry.half_hash == new.half_hash && order_id(entry) == order_id(&new);
                match table.entry(table_hash(new.half_hash), is_it, |entry| table_hash(entry.half_hash)) {
                    Entry::Occupied(there) => return Err(InsertError::Exists(there.get().row)),
                    Entry::Vacant(place) => place.insert(new),
                };
            }
        }
        Ok(repo)
    }
}

fn push_row(chunks: &mut Vec<Vec<PackedRow>>, state: PackedRow) {
    match chunks.last_mut().filter(|last| last.len() < CHUNK_ROWS) {
        Some(last) => last.push(state),
        None => {
            let mut chunk = Vec::with_capacity(CHUNK_ROWS);
            chunk.push(state);
            chunks.push(chunk);
        }
    }
}

fn row_at(chunks: &[Vec<PackedRow>], row: u32) -> Option<&PackedRow> {
    let row = row as usize;
    chunks.get(row / CHUNK_ROWS)?.get(row % CHUNK_ROWS)
}

fn is_row_of(chunks: &[Vec<PackedRow>], entry: &IndexEntry, slot: Slot, order_id: OrderId) -> bool {
    entry.half_hash == slot.half_hash && row_at(chunks, entry.row).is_some_and(|row| row.order_id() == order_id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Cents, CustomerId, OrderStatus, Timestamp};

    fn state(id: u128) -> OrderState {
        let now = Timestamp::from_micros(5).unwrap();
        *Order::place(OrderId::new(Uuid::from_u128(id)), CustomerId::new(Uuid::nil()), Cents::MAX, now).state()
    }

    fn row(id: u128) -> OrderRow {
        OrderRow { state: state(id), last_lsn: Lsn(1) }
    }

    fn completion(of: &OrderState) -> OrderUpdate {
        OrderUpdate {
            order_id: of.order_id,
            from_version: of.version,
            version: of.version + 1,
            customer_id: None,
            total_amount: None,
            status: Some(OrderStatus::Completed),
            completed_at: Some(of.placed_at),
            cancelled_at: None,
        }
    }

    #[test]
    fn every_order_is_found_in_its_row_however_many_there_are() {
        let mut repo = OrderTable::default();
        for id in 0..10_000_u128 {
            assert_eq!(repo.insert(state(id), Lsn(1)).unwrap().0 as u128, id);
        }
        for id in 0..10_000_u128 {
            let (row, found) = repo.find(state(id).order_id).unwrap();
            assert_eq!((u128::from(row), found.state), (id, state(id)));
        }
        assert_eq!((repo.count(), repo.find(state(10_000).order_id)), (10_000, None));
        let rows: Vec<_> = repo.rows(4_090, 10).collect();
        assert_eq!(rows, (4_090..4_100).map(row).collect::<Vec<_>>());
    }

    #[test]
    fn orders_that_are_loaded_together_are_the_same_as_orders_that_came_one_by_one() {
        let (mut loader, mut per_frame) = (OrderTable::loader(), OrderTable::default());
        for id in 0..10_000_u128 {
            loader.push(row(id)).unwrap();
            per_frame.insert(state(id), Lsn(1)).unwrap();
        }
        let mut loaded = loader.finish().unwrap();
        for id in 0..10_000_u128 {
            assert_eq!(loaded.find(state(id).order_id), per_frame.find(state(id).order_id));
        }
        assert_eq!((loaded.count(), loaded.find(state(10_000).order_id)), (10_000, None));
        assert_eq!(loaded.insert(state(10_000), Lsn(1)).unwrap().0, 10_000);
        assert_eq!(loaded.insert(state(7), Lsn(1)).unwrap_err(), InsertError::Exists(7));
    }

    #[test]
    fn two_orders_of_one_id_are_not_loaded() {
        let mut loader = OrderTable::loader();
        for id in [1, 2, 1] {
            loader.push(row(id)).unwrap();
        }
        assert_eq!(loader.finish().unwrap_err(), InsertError::Exists(0));
    }

    #[test]
    fn an_update_fits_one_version_only() {
        let mut repo = OrderTable::default();
        let order = state(1);
        repo.insert(order, Lsn(1)).unwrap();
        let update = completion(&order);
        repo.update(&update, Lsn(2)).unwrap();
        assert_eq!(repo.find(order.order_id).unwrap().1.state.status, OrderStatus::Completed);
        assert!(repo.update(&update, Lsn(2)).is_err());
        assert!(repo.update(&completion(&state(2)), Lsn(2)).is_err());
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut repo = OrderTable::default();
        for id in 0..4_095 {
            repo.insert(state(id), Lsn(1)).unwrap();
        }
        let mut undo = Vec::new();
        for id in 4_095..4_100 {
            undo.push(repo.insert(state(id), Lsn(1)).unwrap().1);
        }
        undo.push(repo.update(&completion(&state(4_099)), Lsn(2)).unwrap().1);
        undo.push(repo.update(&completion(&state(7)), Lsn(2)).unwrap().1);
        while let Some(last) = undo.pop() {
            repo.undo(last);
        }
        assert_eq!((repo.count(), repo.find(state(4_095).order_id)), (4_095, None));
        assert_eq!(repo.find(state(7).order_id).unwrap().1, row(7));
        assert_eq!(repo.insert(state(9_999), Lsn(1)).unwrap().0, 4_095);
    }
}
