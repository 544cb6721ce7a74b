//! A machine of the simulation: its disk, clocks, sinks, lock and socket.

use std::sync::Arc;

use orderd::app::{AppError, Host};
use orderd::contracts::{Clock, OrderIds, Sink, Storage};
use orderd::relay::WorkerSettings;

use crate::environment::{Environment, STORE_ID};

/// One start's view of the machine.
pub struct SimHost<'a> {
    around: &'a Environment,
    taken: Vec<Taken>,
}

/// What a start has taken, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Lock,
    Probe,
    Storage,
    Socket,
}

impl<'a> SimHost<'a> {
    /// The machine before a start.
    #[must_use]
    pub const fn new(around: &'a Environment) -> Self {
        Self { around, taken: Vec::new() }
    }

    /// Each thing is taken once, after all that must come before it.
    fn take(&mut self, what: Taken, after: &[Taken]) -> Result<(), AppError> {
        if self.taken == after {
            self.taken.push(what);
            return Ok(());
        }
        Err(AppError::Internal(format!("{what:?} is taken after {:?}, and must be after {after:?}", self.taken)))
    }
}

impl Host for SimHost<'_> {
    fn lock(&mut self) -> Result<(), AppError> {
        self.take(Taken::Lock, &[])
    }

    fn probe_socket(&mut self) -> Result<(), AppError> {
        self.take(Taken::Probe, &[Taken::Lock])
    }

    fn storage(&mut self) -> Result<Arc<dyn Storage>, AppError> {
        self.take(Taken::Storage, &[Taken::Lock, Taken::Probe])?;
        Ok(self.around.storage())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.around.clock.clone())
    }

    fn order_ids(&mut self) -> Box<dyn OrderIds> {
        Box::new(self.around.ids.clone())
    }

    fn new_store_id(&mut self) -> [u8; 16] {
        STORE_ID
    }

    fn open_sink(&mut self, sink: &WorkerSettings) -> Result<Box<dyn Sink>, AppError> {
        let at = self.around.sinks.iter().position(|setup| setup.name == sink.name);
        match at.and_then(|at| Some((at, self.around.sinks.get(at)?))) {
            Some((at, setup)) => Ok(self.around.sink(setup, at as u64)),
            None => Err(AppError::Internal(format!("there is no sink {}", sink.name))),
        }
    }

    fn bind_socket(&mut self) -> Result<(), AppError> {
        self.take(Taken::Socket, &[Taken::Lock, Taken::Probe, Taken::Storage])
    }
}
