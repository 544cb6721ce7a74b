//! Maintenance's thread, and its way to the state: through the executor, between two batches.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::contracts::{ParkedLane, StatusModel};
use crate::executor::Task;
use crate::journal::{CURSORS_DIR, JournalHandle, SegmentMap, SegmentPreparer};
use crate::repo::{CheckpointBegin, CheckpointSource, DedupEntry, LaneName, Maintenance, OrderRow, Store, cursor};

/// How often maintenance looks whether something is due.
const TURN: Duration = Duration::from_millis(200);

/// Turns until `stop` says so, the first time at once: a daemon that never lives for long must keep up too, or each of
/// its starts would have more to replay. Then the last checkpoint is written, if the store is handed over for it.
pub(super) fn run(
    mut maintenance: Maintenance,
    tasks: Sender<Task<Store>>,
    journal: JournalHandle,
    shown: &MaintenanceView,
    stop: &Receiver<()>,
) {
    turn_until_stopped(&mut maintenance, tasks, &journal, shown, stop);
    if let Ok(ClosedStore { store, time_max }) = shown.closed.recv() {
        maintenance.checkpoint_at_stop(&store, time_max);
    }
}

fn turn_until_stopped(
    maintenance: &mut Maintenance,
    tasks: Sender<Task<Store>>,
    journal: &JournalHandle,
    shown: &MaintenanceView,
    stop: &Receiver<()>,
) {
    // Checkpoints can wait, commands cannot: on a busy machine this thread comes last.
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "maintenance runs with the usual priority");
    }
    let segments = Arc::clone(&journal.index);
    let preparer = maintenance.preparer();
    let mut state = SharedState { tasks, journal: segments, preparer, stop, at_work_since: Instant::now() };
    loop {
        shown.forgotten.try_iter().for_each(|sink| remove_cursor(journal, &sink));
        maintenance.turn(&mut state);
        shown.status.set_pinned_by(maintenance.pinned_by());
        if stop.recv_timeout(TURN) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// A store that takes no more plans.
pub(super) struct ClosedStore<S> {
    pub(super) store: Box<S>,
    /// How long its last checkpoint may take.
    pub(super) time_max: Duration,
}

/// What maintenance hears from the others, and shows of itself.
pub(super) struct MaintenanceView {
    /// The store, at the end.
    pub(super) closed: Receiver<ClosedStore<Store>>,
    /// Sinks that are forgotten for good.
    pub(super) forgotten: Receiver<String>,
    /// Where it shows what keeps the journal.
    pub(super) status: Arc<StatusModel>,
}

/// A cursor that stays all the same is a leftover that the next start removes.
fn remove_cursor(journal: &JournalHandle, sink: &str) {
    let removed = journal.storage.remove(&cursor::path_of(sink)).and_then(|()| journal.storage.sync_dir(CURSORS_DIR));
    match removed {
        Ok(()) => tracing::info!(sink, "forgot the sink"),
        Err(error) => tracing::warn!(sink, %error, "the cursor of a forgotten sink could not be removed"),
    }
}

/// After each part of a checkpoint maintenance rests for that many times as long as the part took, but not longer than
/// the most: the disk that it writes to is the one that commands wait for.
const RESTS: u32 = 3;
const REST_MAX: Duration = Duration::from_millis(100);

/// The state that the executor's thread owns.
struct SharedState<'a> {
    tasks: Sender<Task<Store>>,
    journal: Arc<SegmentMap>,
    preparer: SegmentPreparer,
    stop: &'a Receiver<()>,
    at_work_since: Instant,
}

impl SharedState<'_> {
    fn ask<T: Send + 'static>(&mut self, question: impl FnOnce(&Store) -> T + Send + 'static) -> io::Result<T> {
        let (answer, answered) = bounded(1);
        // Nobody may be waiting any more; then nobody misses the answer.
        let task: Task<Store> = Box::new(move |store| drop(answer.send(question(store))));
        let gone = || io::Error::other("the executor has ended");
        self.tasks.send(task).map_err(|_| gone())?;
        let answer = answered.recv().map_err(|_| gone());
        // The wait for the executor was no work.
        self.at_work_since = Instant::now();
        answer
    }
}

impl CheckpointSource for SharedState<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        self.ask(CheckpointBegin::of)
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        self.ask(move |store| store.state().orders.rows(from, count).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        self.ask(move |store| store.state().commands.copy(from, count))
    }

    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        let after = after.cloned();
        self.ask(move |store| store.state().delivery.lanes_after(after.as_ref(), count))
    }

    fn throttle(&mut self) -> io::Result<()> {
        // A full journal takes no plans: nobody waits for the disk, but everybody for the room.
        let rests = if self.journal.is_full() { 0 } else { RESTS };
        let rest = self.at_work_since.elapsed().saturating_mul(rests).min(REST_MAX);
        if self.stop.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
            return Err(io::Error::other("the daemon stops"));
        }
        self.preparer.turn();
        self.at_work_since = Instant::now();
        Ok(())
    }
}
