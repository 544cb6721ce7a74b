//! What librdkafka calls back: confirmations, errors, log lines.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use orderd_sink::{Delivery, Outcome, Unavailable};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::answers;

/// An event that librdkafka has.
pub(crate) struct InFlight {
    pub(crate) delivery: Delivery,
    pub(crate) sent_at: Instant,
}

/// Of one producer. All of it is behind one lock, which nothing holds for long.
pub(crate) struct Context {
    /// Batches of one message.
    cautious: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why the producer is of no more use; the first reason counts.
    ended: Option<Unavailable>,
    /// The newest moment at which a message was sent that has been confirmed.
    confirmed_sent_at: Option<Instant>,
    /// What librdkafka said last of its connections.
    last_error: String,
    batch_too_large: bool,
    /// Events that ended with the producer before its reason was known.
    undecided: Vec<InFlight>,
}

impl Context {
    pub(crate) fn new(cautious: bool) -> Self {
        Self { cautious, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The producer is of no more use.
    pub(crate) fn end(&self, reason: Unavailable) {
        self.state().ended.get_or_insert(reason);
    }

    /// The reason, once there is one.
    pub(crate) fn ended(&self) -> Option<Unavailable> {
        self.state().ended.clone()
    }

    /// Whether a batch of several messages was refused for its size.
    pub(crate) fn is_batch_too_large(&self) -> bool {
        self.state().batch_too_large
    }

    /// Whether events wait for the reason.
    pub(crate) fn has_undecided(&self) -> bool {
        !self.state().undecided.is_empty()
    }

    /// Answers for the events that waited for the reason of the end.
    pub(crate) fn decide(&self) {
        let undecided = std::mem::take(&mut self.state().undecided);
        let Some(ended) = self.ended() else { return };
        undecided.into_iter().for_each(|in_flight| in_flight.delivery.report(ended.clone().into()));
    }

    /// Answers for an event that did not get through.
    pub(crate) fn fail(&self, in_flight: InFlight, code: Code) {
        let mut state = self.state();
        if let Some(ended) = &state.ended {
            let outcome = ended.clone().into();
            drop(state);
            return in_flight.delivery.report(outcome);
        }
        // The reason of a fatal error is known to the client alone; the producer's thread asks for it.
        if matches!(code, Code::Fatal | Code::PurgeQueue | Code::PurgeInflight) {
            state.undecided.push(in_flight);
            return;
        }
        state.batch_too_large |= answers::is_too_large(code) && !self.cautious;
        let others_pass = state.confirmed_sent_at.is_some_and(|at| at >= in_flight.sent_at);
        let mut outcome = answers::of_message(code, self.cautious, others_pass);
        if let Outcome::Unavailable(unavailable) = &mut outcome {
            if code == Code::MessageTimedOut && !state.last_error.is_empty() {
                unavailable.reason = format!("not confirmed in time; {}", state.last_error);
            }
            state.ended = Some(unavailable.clone());
        }
        drop(state);
        in_flight.delivery.report(outcome);
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        tracing::debug!(%code, reason, "librdkafka reports an error");
        if answers::ends_producer(code, reason) {
            self.end(answers::of_producer(code, reason));
        } else if code != Code::AllBrokersDown {
            reason.clone_into(&mut self.state().last_error);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Box<InFlight>) {
        match result {
            Ok(_) => {
                let mut state = self.state();
                state.confirmed_sent_at = state.confirmed_sent_at.max(Some(in_flight.sent_at));
                drop(state);
                in_flight.delivery.report(Outcome::Delivered);
            }
            Err((error, _)) => self.fail(*in_flight, error.rdkafka_error_code().unwrap_or(Code::Fail)),
        }
    }
}
