//! The table of open connections. When it is full, the one that has been without a request for longest makes room: a
//! thousand clients that send nothing, or read nothing, keep nobody else out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// Whether a connection has a request that is being answered.
#[derive(Debug, Clone, Default)]
pub struct Busy(Arc<AtomicBool>);

impl Busy {
    /// Sets it.
    pub fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Open {
    busy: Busy,
    task: AbortHandle,
}

/// The open connections by the order in which they came.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<BTreeMap<u64, Open>>,
}

impl Connections {
    /// Adds a connection.
    pub fn add(&self, number: u64, busy: Busy, task: AbortHandle) {
        self.lock().insert(number, Open { busy, task });
    }

    /// Takes out one that has ended.
    pub fn remove(&self, number: u64) {
        self.lock().remove(&number);
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Whether any is being answered.
    #[must_use]
    pub fn any_busy(&self) -> bool {
        self.lock().values().any(|open| open.busy.get())
    }

    /// Ends the oldest that is not being answered; false if all are.
    #[must_use]
    pub fn evict(&self) -> bool {
        let mut open = self.lock();
        let idle = open.iter().find(|(_, open)| !open.busy.get()).map(|(number, _)| *number);
        match idle.and_then(|number| open.remove(&number)) {
            Some(evicted) => {
                evicted.task.abort();
                true
            }
            None => false,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
