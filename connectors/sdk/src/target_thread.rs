//! The thread that the target lives on.

use std::{io, thread};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::delivery::Delivery;
use crate::target::Target;

/// What the target is to do next. It is asked only when it is idle.
#[derive(Debug)]
pub(crate) enum Work {
    /// Deliver these.
    Deliver(Vec<Delivery>),
    /// Read the secrets again.
    Reload,
}

/// The two ends of the target's thread.
#[derive(Debug)]
pub(crate) struct TargetThread {
    /// Never blocks for an idle target. Dropping it closes the target.
    pub(crate) work: Sender<Work>,
    /// One message each time that the target became idle; ends when it is closed.
    pub(crate) idle: Receiver<()>,
}

/// Starts the thread.
pub(crate) fn start<T: Target + 'static>(mut target: T) -> io::Result<TargetThread> {
    let (work, tasks) = bounded(1);
    let (announce, idle) = bounded(1);
    thread::Builder::new().name("target".to_owned()).spawn(move || {
        // The other end is gone only when the process is about to end.
        announce.send(()).ok();
        for task in tasks {
            match task {
                Work::Deliver(batch) => target.deliver(batch),
                Work::Reload => match target.reload() {
                    Ok(()) => tracing::info!("read the secrets again"),
                    Err(error) => tracing::error!(%error, "cannot read the secrets again; the ones before stay"),
                },
            }
            announce.send(()).ok();
        }
        target.close();
    })?;
    Ok(TargetThread { work, idle })
}
