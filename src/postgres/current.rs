//! What a worker that begins rests on.

use std::sync::atomic::Ordering;

use super::mirror::Head;
use super::order_row::out_of_range;
use super::store::PostgresStore;
use crate::contracts::SinkRecord;

impl PostgresStore {
    /// What was decided about a sink, up to the last decision that is stored; `None` if there is no such sink, or this
    /// store has not heard of everything yet: then it looks before its next batch.
    #[must_use]
    pub fn current_sink(&self, name: &str) -> Option<SinkRecord> {
        let head = self.ask(|connection| {
            let rows = connection.query("read_head", &[])?;
            Head::of(rows.first().ok_or_else(|| out_of_range("head"))?)
        });
        let head = head.ok()?;
        if head.last_decision > self.mirror.seen() || !self.awaited.is_empty() {
            self.look.store(true, Ordering::Release);
            return None;
        }
        // A target may hold what an earlier worker here has read: this one must know that there is as much to be compared.
        let durable = self.durable_sequence();
        durable.set(durable.get().max(head.last_sequence));
        self.mirror.state().sink(name).cloned()
    }
}
