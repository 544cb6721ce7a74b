//! Whether the threads get around.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::relay::Heartbeat;
use crate::server::ServerHandle;

/// Compares the threads' signs of life with those of the last look.
pub(super) struct Watchdog {
    executor: Arc<AtomicU64>,
    server: ServerHandle,
    relays: Vec<(String, Arc<Heartbeat>)>,
    seen: Vec<u64>,
}

impl Watchdog {
    pub(super) const fn new(
        executor: Arc<AtomicU64>,
        server: ServerHandle,
        relays: Vec<(String, Arc<Heartbeat>)>,
    ) -> Self {
        Self { executor, server, relays, seen: Vec::new() }
    }

    /// Whether every thread has moved since the last look, or has nothing to do. Executor and server move several times
    /// a second also when idle; one that hangs in a write to a dying disk does not.
    pub(super) fn all_alive(&mut self) -> bool {
        let now: Vec<u64> = [self.executor.load(Ordering::Relaxed), self.server.turns()]
            .into_iter()
            .chain(self.relays.iter().map(|(_, heartbeat)| heartbeat.beats()))
            .collect();
        let before = std::mem::replace(&mut self.seen, now);
        let names = ["executor", "server"].into_iter().chain(self.relays.iter().map(|(name, _)| name.as_str()));
        let quiet = [false, false].into_iter().chain(self.relays.iter().map(|(_, heartbeat)| heartbeat.may_be_quiet()));
        let mut alive = true;
        for (((name, may_be_quiet), now), before) in names.zip(quiet).zip(&self.seen).zip(&before) {
            if now == before && !may_be_quiet {
                tracing::error!(thread = name, "has not moved since the last look");
                alive = false;
            }
        }
        alive
    }
}
