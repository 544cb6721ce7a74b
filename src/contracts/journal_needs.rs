//! Who still needs the journal, and from where on: what retention asks before it deletes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Lsn, Pins};

/// Where a reader is: every plan from this one on, itself included, may still be needed.
pub type ReaderPosition = Box<dyn Fn() -> Lsn + Send + Sync>;

/// All who need the journal, by the names that `journal.pinned_by` shows: a sink's, or `replay:ID`.
#[derive(Default)]
pub struct JournalNeeds {
    readers: Mutex<BTreeMap<Arc<str>, ReaderPosition>>,
    backups: Arc<Pins>,
}

impl fmt::Debug for JournalNeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalNeeds").field("readers", &self.readers()).field("backups", &self.backups).finish()
    }
}

impl JournalNeeds {
    /// From now on `reader` needs what `position` says.
    pub fn add(&self, reader: Arc<str>, position: ReaderPosition) {
        self.locked().insert(reader, position);
    }

    /// From now on `reader` needs nothing.
    pub fn remove(&self, reader: &str) {
        self.locked().remove(reader);
    }

    /// All readers with their positions.
    #[must_use]
    pub fn readers(&self) -> Vec<(Arc<str>, Lsn)> {
        self.locked().iter().map(|(reader, position)| (Arc::clone(reader), position())).collect()
    }

    /// The pins of backups: while there is one, nothing is deleted.
    #[must_use]
    pub const fn backups(&self) -> &Arc<Pins> {
        &self.backups
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, ReaderPosition>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
