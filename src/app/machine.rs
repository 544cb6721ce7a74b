//! The real machine: a locked directory, the disk, the system's clocks, files and standard output, a Unix socket.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::AppError;
use super::clock::{SystemClock, TimeOrderedIds};
use super::host::Host;
use crate::config::{Config, SinkKind};
use crate::contracts::{Clock, OrderIds, Sink, Storage};
use crate::relay::WorkerSettings;
use crate::relay::sinks::{FileSink, StdoutSink};
use crate::server::{Listener, ServerOptions, probe_socket};
use crate::storage::{DiskStorage, StoreLock};

/// This machine, as one configuration uses it.
pub(super) struct Machine<'a> {
    config: &'a Config,
    server: &'a ServerOptions,
    clock: Arc<dyn Clock>,
    lock: Option<StoreLock>,
    listener: Option<Listener>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(config: &'a Config, server: &'a ServerOptions) -> Self {
        let clock = Arc::new(SystemClock::new());
        Self { config, server, clock, lock: None, listener: None }
    }

    /// The bound socket, once.
    pub(super) fn take_listener(&mut self) -> Result<Listener, AppError> {
        self.listener.take().ok_or_else(|| AppError::Internal("the socket was not bound".to_owned()))
    }

    /// Notes for people who holds the directory: not before the store was found good.
    pub(super) fn note_holder(&mut self) {
        if let Some(lock) = &mut self.lock {
            lock.note_holder();
        }
    }
}

impl Host for Machine<'_> {
    fn lock(&mut self) -> Result<(), AppError> {
        self.lock = Some(StoreLock::acquire(&self.config.daemon.data_dir)?);
        Ok(())
    }

    fn probe_socket(&mut self) -> Result<(), AppError> {
        Ok(probe_socket(&self.config.daemon.socket)?)
    }

    fn storage(&mut self) -> Result<Arc<dyn Storage>, AppError> {
        let data_dir = &self.config.daemon.data_dir;
        let storage = open_disk(data_dir)?;
        if let Some(file_system) = storage.doubtful_file_system() {
            tracing::warn!(data_dir = %data_dir.display(), file_system, "the data directory is on a file system whose \
                sync may not reach a disk: an acknowledged change can be lost with the machine");
        }
        Ok(Arc::new(storage))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    fn order_ids(&mut self) -> Box<dyn OrderIds> {
        Box::new(TimeOrderedIds::new())
    }

    fn new_store_id(&mut self) -> [u8; 16] {
        *Uuid::new_v4().as_bytes()
    }

    fn open_sink(&mut self, sink: &WorkerSettings) -> Result<Box<dyn Sink>, AppError> {
        let configured = self.config.sinks.iter().find(|configured| configured.name == sink.name);
        match configured.map(|configured| &configured.kind) {
            Some(SinkKind::File { path }) => {
                Ok(Box::new(FileSink::new(path.clone(), self.config.relay.batch_bytes_max)))
            }
            Some(SinkKind::Stdout) => {
                let stdout = StdoutSink::stdout();
                Ok(Box::new(stdout.map_err(|error| AppError::io(format!("standard output: {error}"), &error))?))
            }
            Some(SinkKind::Subscription) | None => {
                Err(AppError::Internal(format!("sink {} has no target to open", sink.name)))
            }
        }
    }

    fn bind_socket(&mut self) -> Result<(), AppError> {
        self.listener = Some(Listener::bind(self.server)?);
        Ok(())
    }
}

/// The files below a data directory.
pub(super) fn open_storage(data_dir: &Path) -> Result<Arc<dyn Storage>, AppError> {
    Ok(Arc::new(open_disk(data_dir)?))
}

fn open_disk(data_dir: &Path) -> Result<DiskStorage, AppError> {
    DiskStorage::open(data_dir)
        .map_err(|error| AppError::io(format!("opening data directory {}: {error}", data_dir.display()), &error))
}
