//! What is handed out.

/// What is handed out to this sink: an order of the snapshot that it starts with, by its row, or an event, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// An order of the snapshot; row 0 first.
    Row(usize),
    /// An event after it.
    Event(u64),
}
