//! One producer, from its first message to its last.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use orderd_sink::cloudevents::{Binding, ContentMode};
use orderd_sink::{Delivery, Outcome, Unavailable};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};

use crate::answers;
use crate::context::{Context, InFlight};

/// How long the producer's thread waits for librdkafka before it looks whether the producer has ended.
const POLL: Duration = Duration::from_millis(100);

/// How long librdkafka may take to give back what was purged.
const PURGE_MAX: Duration = Duration::from_secs(2);

/// A producer with the thread that hears its confirmations.
pub(crate) struct Link {
    producer: Arc<BaseProducer<Context>>,
    thread: JoinHandle<()>,
}

impl Link {
    /// Makes a producer. It connects by itself.
    pub(crate) fn open(client: &ClientConfig, cautious: bool) -> Result<Self, Unavailable> {
        let failed = |what: &str, error: &dyn std::fmt::Display| Unavailable::blocked(format!("{what}: {error}"));
        let producer = client.create_with_context(Context::new(cautious));
        let producer: BaseProducer<Context> =
            producer.map_err(|error| failed("librdkafka does not make a producer", &error))?;
        let producer = Arc::new(producer);
        let driven = producer.clone();
        let thread = thread::Builder::new().name("kafka".to_owned()).spawn(move || drive(&driven));
        let thread = thread.map_err(|error| failed("cannot start a thread", &error))?;
        Ok(Self { producer, thread })
    }

    /// Whether it is of no more use.
    pub(crate) fn has_ended(&self) -> bool {
        self.context().ended().is_some()
    }

    /// Whether a batch of several messages was refused for its size.
    pub(crate) fn is_batch_too_large(&self) -> bool {
        self.context().is_batch_too_large()
    }

    fn context(&self) -> &Context {
        self.producer.context()
    }

    /// Hands all of them to librdkafka, in order; they are answered when the confirmations come.
    pub(crate) fn produce(&self, batch: Vec<Delivery>, topic: &str, mode: ContentMode) {
        for delivery in batch {
            self.produce_one(delivery, topic, mode);
        }
    }

    fn produce_one(&self, delivery: Delivery, topic: &str, mode: ContentMode) {
        let (headers, body) = match Binding::Kafka.encode(&delivery, mode) {
            Ok(message) => (headers(&message.headers, delivery.replay.as_deref()), message.body.into_owned()),
            Err(error) => return delivery.report(Outcome::rejected(error.to_string())),
        };
        let key = delivery.order_id.clone();
        let in_flight = Box::new(InFlight { delivery, sent_at: Instant::now() });
        let record = BaseRecord::with_opaque_to(topic, in_flight).key(&key).payload(&body).headers(headers);
        if let Err((error, record)) = self.producer.send(record) {
            let in_flight = *record.delivery_opaque;
            match error.rdkafka_error_code() {
                // Larger than the client itself would send: that is this message alone.
                Some(code @ Code::MessageSizeTooLarge) => {
                    in_flight.delivery.report(Outcome::rejected(code.to_string()));
                }
                code => self.context().fail(in_flight, code.unwrap_or(Code::Fail)),
            }
        }
    }

    /// What the brokers say of the topic.
    pub(crate) fn describe(&self, topic: &str, timeout: Duration) -> Result<String, Unavailable> {
        let failed = |error: KafkaError| {
            // The reason of the end says more than that there was no answer.
            let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
            self.context().ended().unwrap_or_else(|| answers::of_producer(code, &error.to_string()))
        };
        let metadata = self.producer.client().fetch_metadata(Some(topic), timeout).map_err(failed)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Err(Unavailable::blocked(format!("the topic {topic} is missing")));
        };
        match found.error() {
            None => Ok(format!("the topic {topic} is there: {} partitions", found.partitions().len())),
            Some(error) => {
                let code = Code::from(error);
                Err(answers::of_producer(code, &format!("the topic {topic}: {code}")))
            }
        }
    }

    /// Gives what is on its way the time to arrive, and ends the producer.
    pub(crate) fn finish(self, timeout: Duration) {
        if let Err(error) = self.producer.flush(timeout) {
            tracing::debug!(%error, "not everything arrived before the producer was replaced");
        }
        self.close();
    }

    /// Ends the producer: nothing of it is sent later.
    pub(crate) fn close(self) {
        self.context().end(Unavailable::passing("the producer is closed"));
        // It ends by itself; if it panicked there is nothing left to do for it.
        drop(self.thread.join());
    }
}

fn headers(attributes: &[(String, String)], replay: Option<&str>) -> OwnedHeaders {
    let headers = attributes
        .iter()
        .fold(OwnedHeaders::new(), |headers, (name, value)| headers.insert(Header { key: name, value: Some(value) }));
    match replay {
        Some(replay) => headers.insert(Header { key: "orderd-replay", value: Some(replay) }),
        None => headers,
    }
}

/// Hears confirmations until the producer is of no more use. Then everything that librdkafka still has comes back, so
/// that it cannot arrive later than what the next producer sends.
fn drive(producer: &BaseProducer<Context>) {
    let context = producer.context();
    while context.ended().is_none() {
        producer.poll(POLL);
        if let Some((code, text)) = producer.client().fatal_error() {
            context.end(answers::of_producer(code, &format!("fatal: {text}")));
        } else if context.has_undecided() {
            context.end(Unavailable::passing("the producer has ended"));
        }
    }
    context.decide();
    producer.purge(PurgeConfig::default().queue().inflight());
    let until = Instant::now() + PURGE_MAX;
    while producer.in_flight_count() > 0 && Instant::now() < until {
        producer.poll(POLL);
    }
}
