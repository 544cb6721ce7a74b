//! Tells the log and the service manager that a long start goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::AppError;
use super::threads::spawn;
use crate::systemd::ServiceManager;

/// How often it is told.
const TURN: Duration = Duration::from_secs(5);
/// How much longer the service manager is asked to wait each time.
const EXTENSION: Duration = Duration::from_secs(60);

/// Tells it until it is dropped.
pub(super) struct StartWatch {
    _until_dropped: Sender<()>,
}

impl StartWatch {
    /// Watches a start that counts the plans it has redone.
    pub(super) fn begin(service: &ServiceManager, redone_plans: &Arc<AtomicU64>) -> Result<Self, AppError> {
        let (until_dropped, dropped) = bounded(0);
        let (service, redone_plans) = (service.clone(), Arc::clone(redone_plans));
        spawn("start-watch", move || {
            while dropped.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                let plans = redone_plans.load(Ordering::Relaxed);
                tracing::info!(plans, "still starting: reading the checkpoint and redoing the journal");
                service.extend_start(EXTENSION);
            }
        })?;
        Ok(Self { _until_dropped: until_dropped })
    }
}
