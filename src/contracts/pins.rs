//! Positions that backups keep: while there is one, retention deletes nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{ConnectionId, Lsn};

/// The pins of all connections. Nothing here waits for the disk.
#[derive(Debug, Default)]
pub struct Pins {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    pins: BTreeMap<u64, (ConnectionId, Lsn)>,
}

/// There are as many pins as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} backups hold the journal already; wait until one is done", Pins::COUNT_MAX)]
pub struct TooManyPins;

impl Pins {
    /// Backups that may run at once.
    pub const COUNT_MAX: usize = 16;

    /// Keeps everything that is held now, for a connection that copies up to `lsn`; names the pin.
    ///
    /// # Errors
    /// There are too many.
    pub fn pin(&self, connection: ConnectionId, lsn: Lsn) -> Result<u64, TooManyPins> {
        let mut held = self.locked();
        if held.pins.len() >= Self::COUNT_MAX {
            return Err(TooManyPins);
        }
        held.last = held.last.saturating_add(1);
        let pin = held.last;
        held.pins.insert(pin, (connection, lsn));
        Ok(pin)
    }

    /// Lets a pin of this connection go; whether there was one.
    pub fn unpin(&self, connection: ConnectionId, pin: u64) -> bool {
        let mut held = self.locked();
        let is_its_own = held.pins.get(&pin).is_some_and(|(owner, _)| *owner == connection);
        is_its_own && held.pins.remove(&pin).is_some()
    }

    /// Lets all pins of a connection go; to be called when it closes.
    pub fn release(&self, connection: ConnectionId) {
        self.locked().pins.retain(|_, (owner, _)| *owner != connection);
    }

    /// Whether anything is pinned: then retention deletes nothing, neither segments nor checkpoints.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.locked().pins.is_empty()
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_holds_until_it_is_let_go_or_its_connection_closes() {
        let pins = Pins::default();
        let (first, second) = (ConnectionId(1), ConnectionId(2));
        let pin = pins.pin(first, Lsn(7)).unwrap();
        assert!(!pins.unpin(second, pin), "a pin of another connection");
        assert!(pins.any() && pins.unpin(first, pin) && !pins.any() && !pins.unpin(first, pin));
        pins.pin(second, Lsn(8)).unwrap();
        pins.release(first);
        assert!(pins.any());
        pins.release(second);
        assert!(!pins.any());
    }

    #[test]
    fn there_are_only_so_many() {
        let pins = Pins::default();
        for _ in 0..Pins::COUNT_MAX {
            pins.pin(ConnectionId(1), Lsn(1)).unwrap();
        }
        assert_eq!(pins.pin(ConnectionId(1), Lsn(1)), Err(TooManyPins));
    }
}
