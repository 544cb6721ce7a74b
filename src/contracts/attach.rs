//! How a connection gets from the server to the worker of the sink that it attaches to.

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A connection on its way to a sink's worker, which answers the request and then serves the connection.
///
/// The server hands a connection over when the request is sound and permitted, everything that it owed the client
/// before is written, and it has taken the stream out of its own poll. From then on it neither reads nor writes it.
pub struct AttachRequest {
    /// The request's id, as the client wrote it: JSON text.
    pub id: Box<str>,
    /// The Unix user who attaches.
    pub uid: u32,
    /// What is shown of the program; at most 100 characters.
    pub program: Box<str>,
    /// How many events the program wants unanswered at once; the sink's own limit if it does not say. At least 1.
    pub in_flight_max: Option<usize>,
    /// Whether a program that is attached already is sent away.
    pub take_over: bool,
    /// The connection, in non-blocking mode.
    pub stream: UnixStream,
    /// What was read from it after the request's line.
    pub received: Vec<u8>,
    /// Dropped when the connection closes: the server's count of connections goes with it.
    pub occupancy: Box<dyn Send>,
}

/// Where the server puts connections for one sink. Nothing here ever waits.
pub struct AttachInbox {
    waiting: Mutex<VecDeque<AttachRequest>>,
    attached: AtomicBool,
    /// Why no program can attach here: the sink's worker is elsewhere.
    elsewhere: Mutex<Option<Arc<str>>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl AttachInbox {
    /// Connections that may wait for the worker's next turn.
    pub const WAITING_MAX: usize = 16;

    /// An inbox that calls `wake` whenever a connection was put in.
    #[must_use]
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self { waiting: Mutex::default(), attached: AtomicBool::new(false), elsewhere: Mutex::default(), wake }
    }

    /// Hands a connection over.
    ///
    /// # Errors
    /// Too many wait already: the request comes back, to be refused as `overloaded`.
    pub fn put(&self, request: AttachRequest) -> Result<(), Box<AttachRequest>> {
        let mut waiting = self.locked();
        if waiting.len() >= Self::WAITING_MAX {
            return Err(Box::new(request));
        }
        waiting.push_back(request);
        drop(waiting);
        (self.wake)();
        Ok(())
    }

    /// The connection that waits longest.
    #[must_use]
    pub fn take(&self) -> Option<AttachRequest> {
        self.locked().pop_front()
    }

    /// Why no program can attach here, where the sink has no worker in this process: who relays it.
    #[must_use]
    pub fn elsewhere(&self) -> Option<Arc<str>> {
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why no program can attach here; `None` if one can.
    pub fn set_elsewhere(&self, reason: Option<Arc<str>>) {
        *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Whether a program is attached. The server may then refuse another one that does not take over, and its connection
    /// goes on; a connection that the worker has to refuse is closed.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached.load(Ordering::Acquire)
    }

    /// Notes that a program is attached, or is gone.
    pub fn set_attached(&self, attached: bool) {
        self.attached.store(attached, Ordering::Release);
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<AttachRequest>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A configured sink as the server reaches it.
#[derive(Clone)]
pub struct AttachTarget {
    /// The sink's name.
    pub name: Arc<str>,
    /// Where connections go; `None` for a sink that no program can attach to.
    pub inbox: Option<Arc<AttachInbox>>,
    /// The users beside the operators who may attach.
    pub consumer_uids: Arc<[u32]>,
}
