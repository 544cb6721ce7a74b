//! The server as the rest of the daemon sees it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use mio::{Poll, Waker};

use super::ServerOptions;
use super::admission::Admission;
use super::event_loop::{EventLoop, WAKER};
use super::listener::{BindError, Listener};
use super::shared::Shared;
use super::signals::Signals;
use super::status_context::{ServerTelemetry, StatusContext};
use crate::contracts::{
    Answer, AttachTarget, Clock, RequestReceiver, RequestSender, SinkMonitor, StatusModel, request_queue,
};

/// Serves the socket in the thread that runs it.
#[derive(Debug)]
pub struct Server {
    event_loop: EventLoop,
}

/// Reaches a server from other threads.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    signals: Arc<Signals>,
}

/// What the server needs of the daemon's other parts.
pub struct ServerPorts {
    /// Where requests go.
    pub requests: RequestSender,
    /// Where answers come from.
    pub answers: Receiver<Vec<Answer>>,
    /// For the age of what sinks have not taken yet.
    pub clock: Arc<dyn Clock>,
    /// What the store shows of itself.
    pub store: Arc<StatusModel>,
    /// What each sink shows of itself.
    pub sinks: Vec<Arc<SinkMonitor>>,
    /// The sinks as far as programs attach to them.
    pub targets: Vec<AttachTarget>,
    /// What other parts have measured.
    pub telemetry: ServerTelemetry,
}

impl Server {
    /// The way to the executor, with room for everything that a server with these options admits.
    #[must_use]
    pub fn request_queue(options: &ServerOptions) -> (RequestSender, RequestReceiver) {
        request_queue(
            Admission::express_max(options.connections_max),
            Admission::bulk_max(options.connections_max, options.queue_commands_max),
        )
    }

    /// A server of a bound socket; clients that connect wait until [`Server::run`].
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(
        listener: Listener,
        options: ServerOptions,
        ports: ServerPorts,
    ) -> Result<(Self, ServerHandle), BindError> {
        let ServerPorts { requests, answers, clock, store, sinks, targets, telemetry } = ports;
        let failed = |source| BindError::Io { operation: "watch", path: options.socket.clone(), source };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        let signals = Arc::new(Signals::new(waker));
        let admission = Admission::new(requests, options.queue_commands_max, options.queue_bytes_max);
        let context = StatusContext::new(clock, store, sinks);
        let shared = Shared::new(options.clone(), context, telemetry, admission, targets);
        let event_loop = EventLoop::new(poll, listener, shared, answers, Arc::clone(&signals)).map_err(failed)?;
        Ok((Self { event_loop }, ServerHandle { signals }))
    }

    /// Serves until [`ServerHandle::drain`] has been called and everything accepted is answered.
    ///
    /// # Errors
    /// The system no longer tells which sockets are ready.
    pub fn run(self) -> io::Result<()> {
        self.event_loop.run()
    }
}

impl ServerHandle {
    /// To be called after answers were put into the channel. Costs a system call only while the server sleeps.
    pub fn answers_ready(&self) {
        // The server says that it sleeps and then looks into the channel once more; we put answers in and then look
        // whether it sleeps. One of the two sees the other.
        if !self.signals.awake.swap(true, Ordering::SeqCst) {
            self.signals.wake();
        }
    }

    /// Stops accepting, removes the socket, answers what is accepted, refuses what is not, and lets
    /// [`Server::run`] return, after `shutdown_ms_max` at the latest.
    pub fn drain(&self) {
        self.signals.draining.store(true, Ordering::SeqCst);
        self.signals.wake();
    }

    /// From now on nothing is sent to anybody: the daemon is about to end after an error, and what an answer rests on may
    /// be somebody else's to change.
    pub fn halt(&self) {
        self.signals.halted.store(true, Ordering::SeqCst);
    }

    /// Grows as long as the server's thread gets around, also without clients: at least twice a second.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.signals.turns.load(Ordering::Relaxed)
    }
}
