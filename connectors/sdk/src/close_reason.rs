//! The end of a connection, known to all tasks that wait on it.

use tokio::sync::watch;

use crate::outcome::Unavailable;

/// Why a connection is of no more use; the first reason counts. Clones are the same.
#[derive(Debug, Clone)]
pub struct CloseReason(watch::Sender<Option<Unavailable>>);

impl Default for CloseReason {
    /// Of a connection that is in use.
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl CloseReason {
    /// The connection is of no more use.
    pub fn set(&self, reason: Unavailable) {
        self.0.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(reason);
            is_first
        });
    }

    /// The reason, once there is one.
    #[must_use]
    pub fn get(&self) -> Option<Unavailable> {
        self.0.borrow().clone()
    }

    /// Waits for the end.
    pub async fn wait(&self) -> Unavailable {
        let mut reason = self.0.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let ended = reason.wait_for(Option::is_some).await;
        let reason = ended.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| Unavailable::passing("the connection is closed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let reason = CloseReason::default();
        assert_eq!(reason.get(), None);
        reason.set(Unavailable::blocked("denied"));
        reason.clone().set(Unavailable::passing("lost"));
        assert_eq!(reason.get(), Some(Unavailable::blocked("denied")));
    }
}
