//! The end of a connection, known to everything that waits on it.

use orderd_sink::Unavailable;
use tokio::sync::watch;

/// Why a connection is of no more use; the first reason counts. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Fate(watch::Sender<Option<Unavailable>>);

impl Fate {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(None))
    }

    /// The connection is of no more use.
    pub(crate) fn end(&self, reason: Unavailable) {
        self.0.send_if_modified(|fate| {
            let first = fate.is_none();
            fate.get_or_insert(reason);
            first
        });
    }

    /// The reason, once there is one.
    pub(crate) fn ended(&self) -> Option<Unavailable> {
        self.0.borrow().clone()
    }

    /// Waits for the end.
    pub(crate) async fn wait(&self) -> Unavailable {
        let mut fate = self.0.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let ended = fate.wait_for(Option::is_some).await;
        let reason = ended.ok().and_then(|fate| fate.clone());
        reason.unwrap_or_else(|| Unavailable::passing("the connection is closed"))
    }
}
