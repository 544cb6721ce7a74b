//! How the relays see the order table, which the executor's thread owns: between two batches, a page at a time.

use crossbeam_channel::{Sender, TrySendError};

use crate::contracts::{OrderRows, RowsAnswer};
use crate::executor::Task;
use crate::repo::Store;

/// Asks the executor.
pub(super) struct ExecutorRows {
    pub(super) tasks: Sender<Task<Store>>,
}

impl OrderRows for ExecutorRows {
    fn ask(&self, from: u64, count: usize, answer: RowsAnswer) -> bool {
        let task: Task<Store> = Box::new(move |store| {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            answer(store.state().orders.rows(from, count).collect());
        });
        match self.tasks.try_send(task) {
            // Where the executor has ended, the daemon does, too.
            Ok(()) | Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }
}
