//! One connection, from its first byte to its last.

use std::time::Duration;

use lapin::options::BasicPublishOptions;
use lapin::{Channel, Connection};
use orderd_sink::cloudevents::ContentMode;
use orderd_sink::{CloseReason, Common, Credentials, Delivery, Outcome, Unavailable};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::Settings;
use crate::confirms::{self, Pending};
use crate::connection;
use crate::message;

/// How long the connection's tasks may take to end, and the server to say farewell.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// How often a blocked connection is looked at. The server tells the client, which does not wake us.
const BLOCKED_LOOK: Duration = Duration::from_millis(20);

/// Persistent is a property; here: an event that no queue takes comes back.
const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

/// A connection with the runtime that drives it: when it is given up, nothing of it is sent later.
pub(crate) struct Link {
    runtime: Runtime,
    connection: Connection,
    channel: Channel,
    publishes: mpsc::UnboundedSender<Vec<Pending>>,
    closed: CloseReason,
    timeout: Duration,
}

impl Link {
    /// Connects.
    pub(crate) fn open(settings: &Settings, credentials: &Credentials, common: &Common) -> Result<Self, Unavailable> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("rabbitmq").enable_all().build();
        let runtime = runtime.map_err(|error| Unavailable::passing(format!("cannot start a thread: {error}")))?;
        let opened = runtime.block_on(connection::open(settings, credentials, &common.sink, common.timeout));
        let (connection, channel) = match opened {
            Ok(opened) => opened,
            Err(unavailable) => {
                runtime.shutdown_timeout(CLOSE_MAX);
                return Err(unavailable);
            }
        };
        let (closed, timeout) = (CloseReason::default(), common.timeout);
        let (publishes, incoming) = mpsc::unbounded_channel();
        runtime.spawn(confirms::run(incoming, connection.status().clone(), closed.clone(), timeout));
        Ok(Self { runtime, connection, channel, publishes, closed, timeout })
    }

    /// Whether it is of no more use.
    pub(crate) fn has_ended(&self) -> bool {
        self.closed.get().is_some() || !self.connection.status().connected() || !self.channel.status().connected()
    }

    /// Sends all of them, in order; they are answered when the confirmations come.
    pub(crate) fn publish(&self, batch: Vec<Delivery>, settings: &Settings, mode: ContentMode) {
        if let Err(unavailable) = self.runtime.block_on(self.wait_unblocked()) {
            return Delivery::report_all(batch, &unavailable.into());
        }
        let pending = batch.into_iter().filter_map(|delivery| self.pending(delivery, settings, mode)).collect();
        if let Err(mpsc::error::SendError(pending)) = self.publishes.send(pending) {
            let unavailable = self.closed.get().unwrap_or_else(|| Unavailable::passing("the connection was lost"));
            pending.into_iter().for_each(|pending| pending.report(unavailable.clone().into()));
        }
    }

    fn pending(&self, delivery: Delivery, settings: &Settings, mode: ContentMode) -> Option<Pending> {
        let (properties, body) = match message::of(&delivery, mode) {
            Ok(message) => message,
            Err(error) => {
                delivery.report(Outcome::rejected(error.to_string()));
                return None;
            }
        };
        let (channel, exchange) = (self.channel.clone(), message::short(&settings.exchange));
        let routing_key = message::short(&settings.routing_key.fill(&delivery));
        let body_bytes = body.len();
        let publish =
            Box::pin(
                async move { channel.basic_publish(exchange, routing_key, MANDATORY, &body, properties).await?.await },
            );
        Some(Pending { delivery: Some(delivery), body_bytes, publish })
    }

    /// Nothing is published on a blocked connection.
    async fn wait_unblocked(&self) -> Result<(), Unavailable> {
        let deadline = Instant::now() + self.timeout;
        while self.connection.status().blocked() {
            // The reason of the end is in `closed`, whichever of the two comes first.
            let ended = timeout(BLOCKED_LOOK, self.closed.wait()).await;
            if let Ok(ended) = ended {
                return Err(ended);
            }
            if Instant::now() >= deadline {
                return Err(confirms::blocked());
            }
        }
        Ok(())
    }

    /// Ends the connection: nothing of it is sent later.
    pub(crate) fn close(self) {
        self.closed.set(Unavailable::passing("the connection is closed"));
        let farewell = async {
            let close = self.connection.close(200, message::short("OK"));
            timeout_at(Instant::now() + CLOSE_MAX, close).await
        };
        if self.connection.status().connected() && !self.connection.status().blocked() {
            // A server that does not say farewell finds the connection closed.
            drop(self.runtime.block_on(farewell));
        }
        self.runtime.shutdown_timeout(CLOSE_MAX);
    }
}
