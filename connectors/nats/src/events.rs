//! What the client says of a connection, beside the answers.

use async_nats::{Event, ServerError};
use orderd_sink::{CloseReason, Unavailable};

/// Takes in an event of the connection.
pub(crate) fn on_event(event: &Event, closed: &CloseReason) {
    match event {
        Event::Disconnected | Event::Closed => {
            closed.set(Unavailable::passing("the connection to the server was lost"));
        }
        Event::ServerError(ServerError::AuthorizationViolation) => {
            closed.set(Unavailable::blocked("the server refuses the credentials: authorization violation"));
        }
        Event::ServerError(ServerError::Other(text)) if needs_operator(text) => {
            closed.set(Unavailable::blocked(format!("the server says: {text}")));
        }
        Event::ServerError(error) => tracing::warn!(%error, "the server reports an error"),
        Event::ClientError(error) => tracing::debug!(%error, "the client reports an error"),
        Event::LameDuckMode => tracing::info!("the server is about to stop"),
        Event::Connected | Event::Draining | Event::SlowConsumer(_) => {}
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
    fn a_publish_that_is_not_permitted_is_the_reason_and_not_the_disconnect_after_it() {
        let closed = CloseReason::default();
        let denied = "Permissions Violation for Publish to \"orders.OrderPlaced\"".to_owned();
        on_event(&Event::ServerError(ServerError::Other(denied)), &closed);
        on_event(&Event::Disconnected, &closed);
        let Unavailable { reason, blocked, .. } = closed.get().unwrap();
        assert!(blocked && reason.contains("orders.OrderPlaced"), "{reason}");
    }

    #[test]
    fn a_stream_whose_configuration_may_not_be_read_is_no_reason_to_stop() {
        let closed = CloseReason::default();
        let denied = "Permissions Violation for Publish to \"$JS.API.STREAM.INFO.ORDERS\"".to_owned();
        on_event(&Event::ServerError(ServerError::Other(denied)), &closed);
        assert_eq!(closed.get(), None);
    }
}
