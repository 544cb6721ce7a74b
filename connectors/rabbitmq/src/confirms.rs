//! Publishes on their way, and what became of them.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lapin::{Confirmation, ConnectionStatus, Error};
use orderd_sink::{CloseReason, Delivery, Outcome, Unavailable};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::answers;

/// A publish: sent when it is polled for the first time, ready when it is confirmed.
pub(crate) type Publish = Pin<Box<dyn Future<Output = Result<Confirmation, Error>> + Send>>;

/// A publish with the event that waits for it; without one if it was answered before the server did.
pub(crate) struct Pending {
    pub(crate) delivery: Option<Delivery>,
    pub(crate) body_bytes: usize,
    pub(crate) publish: Publish,
}

/// Everything that is unconfirmed on one channel, in the order of the publishes.
struct Confirms {
    pending: Vec<(Pending, Instant)>,
    /// The ids of returned messages whose confirmation has not been seen yet.
    returned: HashSet<String>,
    closed: CloseReason,
}

/// One publish that is ready.
struct Ready {
    pending: Pending,
    result: Result<Confirmation, Error>,
}

/// Answers for all publishes that come through the channel, until the connection ends.
pub(crate) async fn run(
    mut publishes: mpsc::UnboundedReceiver<Vec<Pending>>,
    status: ConnectionStatus,
    closed: CloseReason,
    timeout: Duration,
) {
    let mut confirms = Confirms { pending: Vec::new(), returned: HashSet::new(), closed: closed.clone() };
    let ended = loop {
        let unanswered = confirms.pending.iter().find(|(pending, _)| pending.delivery.is_some());
        let overdue = unanswered.map(|(_, deadline)| *deadline);
        tokio::select! {
            biased;
            ready = poll_fn(|context| confirms.poll_ready(context)) => confirms.conclude(ready),
            ended = closed.wait() => break ended,
            batch = publishes.recv() => match batch {
                Some(batch) => {
                    let deadline = Instant::now() + timeout;
                    confirms.pending.extend(batch.into_iter().map(|pending| (pending, deadline)));
                }
                None => break Unavailable::passing("the connection is closed"),
            },
            () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                if status.blocked() {
                    confirms.put_off();
                } else {
                    closed.set(Unavailable::passing("the server did not confirm in time"));
                }
            }
        }
    };
    publishes.close();
    let waiting = confirms.pending.into_iter().map(|(pending, _)| pending);
    let unsent = std::iter::from_fn(|| publishes.try_recv().ok()).flatten();
    waiting.chain(unsent).for_each(|pending| pending.report(ended.clone().into()));
}

impl Pending {
    /// Answers for the event, if nobody has.
    pub(crate) fn report(self, outcome: Outcome) {
        if let Some(delivery) = self.delivery {
            delivery.report(outcome);
        }
    }
}

/// What is said of a server that blocks its publishers.
pub(crate) fn blocked() -> Unavailable {
    Unavailable::passing("the server blocks its publishers: it is short of memory or disk")
}

impl Confirms {
    /// A server that blocks its publishers takes what is on its way when it is done with that, from a closed connection
    /// too. So the connection stays, and one outage repeats at most what was in flight when it began.
    fn put_off(&mut self) {
        for delivery in self.pending.iter_mut().filter_map(|(pending, _)| pending.delivery.take()) {
            delivery.report(blocked().into());
        }
    }

    /// Polls all of them, in order, so that they are sent in order. What is ready is taken out.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Vec<Ready>> {
        let mut ready = Vec::new();
        let mut waiting = Vec::with_capacity(self.pending.len());
        for (mut pending, deadline) in self.pending.drain(..) {
            match pending.publish.as_mut().poll(context) {
                Poll::Ready(result) => ready.push(Ready { pending, result }),
                Poll::Pending => waiting.push((pending, deadline)),
            }
        }
        self.pending = waiting;
        if ready.is_empty() { Poll::Pending } else { Poll::Ready(ready) }
    }

    /// The client hands a returned message to whichever confirmation comes next, which need not be its own when several
    /// come at once. So:
    /// 1. A message is returned before it is confirmed; when its own confirmation is ready without a returned message,
    ///    that has been handed to one that was ready before, which is in this round or was in an earlier one.
    /// 2. All ids of returned messages of this round are noted before any event of it is answered.
    /// 3. A confirmation that came with somebody else's message says nothing of its own: not delivered.
    fn conclude(&mut self, ready: Vec<Ready>) {
        for Ready { result, .. } in &ready {
            if let Ok(Confirmation::Ack(Some(message)) | Confirmation::Nack(Some(message))) = result {
                let id = message.delivery.properties.message_id().as_ref();
                self.returned.extend(id.map(|id| id.as_str().to_owned()));
                let (key, text) = (&message.routing_key, &message.reply_text);
                let reason = format!("no queue takes the routing key {key:?}: {text}", key = key.as_str());
                self.closed.set(Unavailable::blocked(reason));
            }
        }
        let (failed, confirmed): (Vec<_>, Vec<_>) = ready.into_iter().partition(|ready| ready.result.is_err());
        let mut answered = Vec::with_capacity(confirmed.len());
        for Ready { pending: Pending { delivery, .. }, result } in confirmed {
            let Some(delivery) = delivery else { continue };
            let is_returned = self.returned.remove(&delivery.id);
            let outcome = match result {
                Ok(Confirmation::Ack(None)) if !is_returned => Outcome::Delivered,
                Ok(Confirmation::Nack(None)) if !is_returned => {
                    Outcome::unavailable("the server did not take the event (nack): its queue is full, or has failed")
                }
                Ok(Confirmation::Ack(_) | Confirmation::Nack(_) | Confirmation::NotRequested) | Err(_) => {
                    let reason = self.closed.get();
                    reason.unwrap_or_else(|| Unavailable::passing("not confirmed")).into()
                }
            };
            answered.push((delivery, outcome));
        }
        Delivery::report_each(answered);
        self.fail(failed);
    }

    /// The channel is closed. The server's reason is for all that was unconfirmed, except that of a message that is too
    /// large: the largest of them exceeds the limit, whichever the server stumbled over.
    fn fail(&mut self, failed: Vec<Ready>) {
        let errors = || failed.iter().filter_map(|ready| ready.result.as_ref().err());
        let Some(error) = errors().find(|error| answers::is_from_server(error)).or_else(|| errors().next()).cloned()
        else {
            return;
        };
        let mut lost: Vec<Pending> = failed.into_iter().map(|ready| ready.pending).collect();
        if answers::is_too_large(&error) {
            lost.extend(self.pending.drain(..).map(|(pending, _)| pending));
            let largest = lost.iter().enumerate().max_by_key(|(_, pending)| pending.body_bytes).map(|(at, _)| at);
            if let Some(at) = largest {
                lost.swap_remove(at).report(Outcome::rejected(error.to_string()));
            }
        }
        let unavailable = answers::of_error(&error);
        self.closed.set(unavailable.clone());
        lost.into_iter().for_each(|pending| pending.report(unavailable.clone().into()));
    }
}
