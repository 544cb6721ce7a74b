//! What a daemon's threads work on, whatever keeps the plans.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::core::Core;
use super::maintenance::{ClosedStore, MaintenanceView};
use super::relays::Relay;
use super::threads::Threads;
use super::{AppError, maintenance};
use crate::contracts::{DecisionBatch, StatusModel};
use crate::executor::{Executor, Task};
use crate::logging::LogHandle;
use crate::repo::Store;
use crate::server::ServerTelemetry;

/// The thread that writes checkpoints.
pub(super) const MAINTENANCE: &str = "maintenance";

/// The parts.
pub(super) struct Parts<S> {
    pub(super) executor: Executor<S>,
    pub(super) relays: Vec<Relay>,
    /// What the relays decide, on its way to the executor.
    pub(super) decisions: Receiver<DecisionBatch>,
    /// Asks the executor for a look at the store, between two batches.
    pub(super) ask: Sender<Task<S>>,
    /// What is asked of it.
    pub(super) tasks: Receiver<Task<S>>,
    pub(super) telemetry: ServerTelemetry,
    pub(super) background: Background<S>,
}

/// Starts the threads that work beside the executor's.
pub(super) type Background<S> = Box<dyn FnOnce(&mut Threads, BackgroundPorts<S>) -> Result<(), AppError>>;

/// What those threads work with.
pub(super) struct BackgroundPorts<S> {
    /// Questions to the store, between two batches.
    pub(super) tasks: Sender<Task<S>>,
    /// Where they show themselves.
    pub(super) status: Arc<StatusModel>,
    /// Disconnected when they are to end.
    pub(super) stop: Receiver<()>,
    /// The store, at the end.
    pub(super) closed: Receiver<ClosedStore<S>>,
}

/// What the journal's core brings: maintenance works beside it.
pub(super) fn parts_of(core: Core, log: &LogHandle) -> Parts<Store> {
    let Core { executor, relays, decisions, ask, tasks, forgotten, maintenance, journal, report: _ } = core;
    let telemetry =
        ServerTelemetry { journal: journal.index.metrics(), checkpoint: maintenance.metrics(), log: log.metrics() };
    let background: Background<_> = Box::new(move |threads, ports| {
        let BackgroundPorts { tasks, status, stop, closed } = ports;
        let shown = MaintenanceView { closed, forgotten, status };
        threads.start(MAINTENANCE, move || {
            maintenance::run(maintenance, tasks, journal, &shown, &stop);
            Ok(())
        })
    });
    Parts { executor, relays, decisions, ask, tasks, telemetry, background }
}
