//! The machine that the daemon runs on, as far as a start needs it. The real one is [`super::machine`]; a simulation is
//! another, and so drives the same start.

use std::sync::Arc;

use super::AppError;
use crate::contracts::{Clock, OrderIds, Sink, Storage};
use crate::relay::WorkerSettings;

/// What a start takes from its surroundings, in the order in which it takes it.
pub trait Host {
    /// Takes the data directory for this process alone, before anything in it is looked at. It is never given back while
    /// the process lives: what a failing daemon still does must not meet another daemon's work.
    ///
    /// # Errors
    /// Another process holds it, or it is not ours alone.
    fn lock(&mut self) -> Result<(), AppError>;

    /// Looks whether somebody answers at the socket's path, before any byte of the store is changed. It changes nothing.
    ///
    /// # Errors
    /// Somebody does, or the path is taken by something else.
    fn probe_socket(&mut self) -> Result<(), AppError>;

    /// The data directory.
    ///
    /// # Errors
    /// It cannot be opened.
    fn storage(&mut self) -> Result<Arc<dyn Storage>, AppError>;

    /// The clocks.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Ids for orders that come without one.
    fn order_ids(&mut self) -> Box<dyn OrderIds>;

    /// A new store's id, should one be made.
    fn new_store_id(&mut self) -> [u8; 16];

    /// Opens the target of a sink.
    ///
    /// # Errors
    /// The target can never be written.
    fn open_sink(&mut self, sink: &WorkerSettings) -> Result<Box<dyn Sink>, AppError>;

    /// Takes the socket's path. From here on clients can connect; they are heard once the server's thread runs.
    ///
    /// # Errors
    /// The path cannot be had.
    fn bind_socket(&mut self) -> Result<(), AppError>;
}
