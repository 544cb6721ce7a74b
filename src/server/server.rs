//! The server as the rest of the daemon sees it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};
use mio::{Poll, Waker};

use super::event_loop::{EventLoop, WAKER};
use super::listener::{BindError, Listener};
use super::{ServerOptions, shared::Shared, status::StatusContext};
use crate::contracts::{Answer, Clock, Envelope, SinkMonitor};

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

/// What other threads tell the server's thread, and what it shows them.
#[derive(Debug)]
pub(super) struct Signals {
    /// The thread is awake and will look at the answers before it sleeps.
    pub(super) awake: AtomicBool,
    /// The server is to stop.
    pub(super) draining: AtomicBool,
    /// Nothing may be sent any more.
    pub(super) halted: AtomicBool,
    /// How many turns the loop has made.
    pub(super) turns: AtomicU64,
    waker: Waker,
}

impl Server {
    /// A server of a bound socket; clients that connect wait until [`Server::run`].
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub fn new(
        listener: Listener,
        options: ServerOptions,
        requests: Sender<Envelope>,
        answers: Receiver<Vec<Answer>>,
        clock: Arc<dyn Clock>,
        sinks: Vec<Arc<SinkMonitor>>,
    ) -> Result<(Self, ServerHandle), BindError> {
        let failed = |source| BindError::Io { operation: "watch", path: options.socket.clone(), source };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(failed)?;
        let signals = Arc::new(Signals {
            awake: AtomicBool::new(true),
            draining: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            waker,
        });
        let shared = Shared::new(options.clone(), StatusContext::new(clock, sinks), requests);
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

impl Signals {
    fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            // The loop wakes by itself twice a second: late, but not lost.
            tracing::warn!(%error, "the server could not be woken");
        }
    }
}
