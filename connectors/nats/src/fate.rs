//! The end of a connection, known to everything that waits on it.

use async_nats::{Event, ServerError};
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

    /// Takes in what the client says of the connection.
    pub(crate) fn on_event(&self, event: &Event) {
        match event {
            Event::Disconnected | Event::Closed => {
                self.end(Unavailable::passing("the connection to the server was lost"));
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.end(Unavailable::blocked("the server refuses the credentials: authorization violation"));
            }
            Event::ServerError(ServerError::Other(text)) if needs_operator(text) => {
                self.end(Unavailable::blocked(format!("the server says: {text}")));
            }
            Event::ServerError(error) => tracing::warn!(%error, "the server reports an error"),
            Event::ClientError(error) => tracing::debug!(%error, "the client reports an error"),
            Event::LameDuckMode => tracing::info!("the server is about to stop"),
            Event::Connected | Event::Draining | Event::SlowConsumer(_) => {}
        }
    }
}

/// Errors that the server sends beside the answers. Whether the stream's configuration may be read is not decisive.
fn needs_operator(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    (text.contains("permissions violation") && !text.contains("$js.api."))
        || text.contains("authentication expired")
        || text.contains("authentication revoked")
        || text.contains("authorization violation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let fate = Fate::new();
        assert_eq!(fate.ended(), None);
        let denied = "Permissions Violation for Publish to \"orders.OrderPlaced\"".to_owned();
        fate.on_event(&Event::ServerError(ServerError::Other(denied)));
        fate.on_event(&Event::Disconnected);
        let Unavailable { reason, blocked, .. } = fate.ended().unwrap();
        assert!(blocked && reason.contains("orders.OrderPlaced"), "{reason}");
    }

    #[test]
    fn a_stream_whose_configuration_may_not_be_read_is_no_reason_to_stop() {
        let fate = Fate::new();
        let denied = "Permissions Violation for Publish to \"$JS.API.STREAM.INFO.ORDERS\"".to_owned();
        fate.on_event(&Event::ServerError(ServerError::Other(denied)));
        assert_eq!(fate.ended(), None);
    }
}
