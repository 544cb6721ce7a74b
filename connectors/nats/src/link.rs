//! One connection, from its first byte to its last.

use std::future::IntoFuture as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{Context, ContextBuilder, PublishAckFuture};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Info;
use orderd_sink::cloudevents::{Binding, ContentMode};
use orderd_sink::{CloseReason, Common, Delivery, Event, EventError, Outcome, Unavailable};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, timeout, timeout_at};

use crate::answers;
use crate::auth::Auth;
use crate::config::Settings;
use crate::events::on_event;

/// How long the connection's tasks may take to end.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Reading the stream's configuration is a courtesy: a server that forbids it does not answer at all.
const STREAM_INFO_MAX: Duration = Duration::from_secs(3);

/// The client would connect again by itself and send what it has buffered, long after this connector has told the daemon
/// that it was not delivered. So it never does: the runtime ends with the connection, and the next one starts from nothing.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// A connection with the runtime that drives it.
pub(crate) struct Link {
    runtime: Runtime,
    jetstream: Context,
    closed: CloseReason,
    timeout: Duration,
    /// The stream as it was when we connected; none if we may not know.
    pub(crate) stream: Option<Info>,
}

/// A publish that waits for its confirmation.
type Published = (Delivery, String, PublishAckFuture);

impl Link {
    /// Connects, and looks at the stream.
    pub(crate) fn open(settings: &Settings, auth: &Auth, common: &Common) -> Result<Self, Unavailable> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("nats").enable_all().build();
        let runtime = runtime.map_err(|error| Unavailable::passing(format!("cannot start a thread: {error}")))?;
        let closed = CloseReason::default();
        let opened = runtime.block_on(async {
            let jetstream = connect(settings, auth, common, &closed).await?;
            let stream = look(&jetstream, settings, &closed).await?;
            Ok((jetstream, stream))
        });
        match opened {
            Ok((jetstream, stream)) => Ok(Self { runtime, jetstream, closed, timeout: common.timeout, stream }),
            Err(unavailable) => {
                runtime.shutdown_timeout(CLOSE_MAX);
                Err(unavailable)
            }
        }
    }

    /// Whether it is of no more use.
    pub(crate) fn has_ended(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Sends all of them, in order, and answers when the confirmations come.
    pub(crate) fn publish(&self, batch: Vec<Delivery>, settings: &Settings, mode: ContentMode) {
        let deadline = Instant::now() + self.timeout;
        let published = self.runtime.block_on(async {
            let mut published = Vec::with_capacity(batch.len());
            for delivery in batch {
                published.extend(self.send(delivery, settings, mode, deadline).await);
            }
            published
        });
        self.runtime.spawn(confirm(published, deadline, self.closed.clone()));
    }

    async fn send(
        &self,
        delivery: Delivery,
        settings: &Settings,
        mode: ContentMode,
        deadline: Instant,
    ) -> Option<Published> {
        let subject = settings.subject.fill(&delivery);
        let message = match message(&delivery, &settings.stream, mode) {
            Ok(message) => message,
            Err(error) => {
                delivery.report(Outcome::rejected(error.to_string()));
                return None;
            }
        };
        let send = timeout_at(deadline, self.jetstream.send_publish(subject.clone(), message));
        let outcome = tokio::select! {
            sent = send => match sent {
                Ok(Ok(ack)) => return Some((delivery, subject, ack)),
                Ok(Err(error)) => answers::of_publish(&error, &subject),
                Err(_) => Outcome::unavailable("the server did not take the event in time"),
            },
            ended = self.closed.wait() => ended.into(),
        };
        answer(delivery, outcome, &self.closed);
        None
    }

    /// Ends the connection: nothing of it is sent later.
    pub(crate) fn close(self) {
        self.closed.set(Unavailable::passing("the connection is closed"));
        self.runtime.shutdown_timeout(CLOSE_MAX);
    }
}

async fn connect(
    settings: &Settings,
    auth: &Auth,
    common: &Common,
    closed: &CloseReason,
) -> Result<Context, Unavailable> {
    let was_connected = Arc::new(AtomicBool::new(false));
    let options = options(settings, auth, common, closed, was_connected.clone());
    let options = options.map_err(|error| Unavailable::blocked(format!("the credentials cannot be used: {error}")))?;
    let client = match timeout(common.timeout, options.connect(settings.servers.clone())).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return Err(answers::of_connect(&error)),
        Err(_) => return Err(Unavailable::passing("cannot connect: the server does not answer")),
    };
    was_connected.store(true, Ordering::SeqCst);
    // Deadlines are ours; the client's own come later.
    Ok(ContextBuilder::new()
        .timeout(common.timeout * 2)
        .max_ack_inflight(common.in_flight_max.max(1) * 2)
        .build(client))
}

fn options(
    settings: &Settings,
    auth: &Auth,
    common: &Common,
    closed: &CloseReason,
    was_connected: Arc<AtomicBool>,
) -> io::Result<ConnectOptions> {
    let (events, tls) = (closed.clone(), &common.tls);
    // All of them have their turn within the time for connecting.
    let servers = u32::try_from(settings.servers.len()).unwrap_or(1).max(1);
    let mut options = ConnectOptions::new()
        .name(format!("orderd/{}", common.sink))
        .connection_timeout(common.timeout / servers)
        .reconnect_delay_callback(move |_| if was_connected.load(Ordering::SeqCst) { NEVER } else { Duration::ZERO })
        .event_callback(move |event| {
            on_event(&event, &events);
            std::future::ready(())
        })
        .require_tls(!tls.is_empty());
    if settings.tls_first {
        options = options.tls_first();
    }
    if let Some(ca) = &tls.ca_file {
        options = options.add_root_certificates(ca.clone());
    }
    if let (Some(certificate), Some(key)) = (&tls.client_cert_file, &tls.client_key_file) {
        options = options.add_client_certificate(certificate.clone(), key.path().to_owned());
    }
    auth.apply(options)
}

/// Whether the stream is there, and remembers ids long enough.
async fn look(jetstream: &Context, settings: &Settings, closed: &CloseReason) -> Result<Option<Info>, Unavailable> {
    let name = &settings.stream;
    let stream = tokio::select! {
        stream = timeout(STREAM_INFO_MAX, jetstream.get_stream(name)) => stream,
        ended = closed.wait() => return Err(ended),
    };
    let info = match stream {
        Ok(Ok(stream)) => stream.cached_info().clone(),
        Ok(Err(error)) => match answers::of_stream(&error, name) {
            Some(unavailable) => return Err(unavailable),
            None => return Ok(unknown(name)),
        },
        Err(_) => return Ok(unknown(name)),
    };
    let (window, min) = (info.config.duplicate_window, settings.duplicate_window_min);
    if window < min {
        tracing::warn!(
            stream = name,
            duplicate_window_ms = window.as_millis(),
            duplicate_window_ms_min = min.as_millis(),
            "the stream forgets ids before a restart is over: events may be stored twice"
        );
    }
    Ok(Some(info))
}

fn unknown(stream: &str) -> Option<Info> {
    tracing::warn!(stream, "the server does not tell the stream's configuration: its duplicate window is not checked");
    None
}

fn message(event: &Event, stream: &str, mode: ContentMode) -> Result<PublishMessage, EventError> {
    let encoded = Binding::Nats.encode(event, mode)?;
    let mut message = PublishMessage::build();
    for (name, value) in &encoded.headers {
        message = message.header(name.as_str(), value.as_str());
    }
    let id = match &event.replay {
        // The stream would swallow a replay of what it still remembers.
        Some(replay) => format!("{}/{replay}", event.id),
        None => event.id.clone(),
    };
    Ok(message.message_id(id).expected_stream(stream).payload(encoded.body.into_owned().into()))
}

/// Confirmations come in the order of the publishes, so waiting for one after the other costs nothing.
async fn confirm(published: Vec<Published>, deadline: Instant, closed: CloseReason) {
    for (delivery, subject, ack) in published {
        let outcome = tokio::select! {
            biased;
            ack = timeout_at(deadline, ack.into_future()) => match ack {
                Ok(Ok(ack)) => {
                    if ack.duplicate {
                        tracing::debug!(sequence = delivery.sequence, "the stream had the event already");
                    }
                    Outcome::Delivered
                }
                Ok(Err(error)) => answers::of_publish(&error, &subject),
                Err(_) => Outcome::unavailable("the server did not confirm in time"),
            },
            ended = closed.wait() => ended.into(),
        };
        answer(delivery, outcome, &closed);
    }
}

/// A connection that an event could not be sent on is given up: what is still in it must not arrive later than what the
/// next one brings.
fn answer(delivery: Delivery, outcome: Outcome, closed: &CloseReason) {
    if let Outcome::Unavailable(unavailable) = &outcome {
        closed.set(unavailable.clone());
    }
    delivery.report(outcome);
}
