//! A connection that attaches goes to its sink's worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::event_loop::EventLoop;
use super::rpc_error::{ErrorKind, RpcError};
use crate::contracts::{AttachRequest, ConnectionId};

impl EventLoop {
    /// Gives a connection to the sink that it attaches to.
    pub(super) fn hand_over(&mut self, id: ConnectionId) {
        let Some(entry) = self.connections.remove(id) else { return };
        let caller = entry.connection.peer.caller;
        self.acceptor.release(entry.place, &caller, &mut self.shared.context);
        let handed = match entry.connection.hand_over(self.poll.registry(), &mut self.shared) {
            Ok(handed) => handed,
            Err(error) => return tracing::warn!(%error, "a connection cannot be handed to its sink"),
        };
        let Some(inbox) = self.shared.targets.get(handed.attaching.target).and_then(|target| target.inbox.as_ref())
        else {
            return;
        };
        let call = handed.attaching.call;
        let request = AttachRequest {
            id: handed.attaching.id,
            uid: handed.uid.unwrap_or(u32::MAX),
            program: call.program.into_boxed_str(),
            in_flight_max: call.in_flight_max,
            take_over: call.take_over,
            stream: handed.stream,
            received: handed.received,
            occupancy: Box::new(Occupancy::new(&self.shared.context.attached)),
        };
        if let Err(request) = inbox.put(request) {
            refuse_attach(&request);
        }
    }
}

/// Tells a program that too many wait for its sink's worker. Its socket has room for a line: all before was taken.
fn refuse_attach(request: &AttachRequest) {
    use std::io::Write as _;
    let error = RpcError::new(ErrorKind::Overloaded, "too many programs attach to this sink at once; try again later");
    let mut line = Vec::new();
    super::response::write_error(&mut line, &request.id, &error);
    // If it is gone already, nobody misses the answer.
    (&request.stream).write_all(&line).ok();
}

/// Counts a connection as long as its sink has it.
struct Occupancy(Arc<AtomicUsize>);

impl Occupancy {
    fn new(attached: &Arc<AtomicUsize>) -> Self {
        attached.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(attached))
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
