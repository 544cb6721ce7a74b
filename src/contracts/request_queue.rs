//! The way of requests: from the server, which admits them, to the executor, which takes them batch by batch.

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use super::Envelope;

/// While somebody waits who has little in flight, a batch takes no more than this of those who have much: a batch is
/// then short, and the wait for it and for the next one too.
const BULK_BESIDE_EXPRESS_MAX: usize = 512;
/// The part of a batch that those who have much in flight get whatever the others send.
const BULK_PART: usize = 4;

/// Makes the two ends. Each class has room for as many requests as the server ever admits to it, so that admission and
/// not the channel says who is refused.
#[must_use]
pub fn request_queue(express_max: usize, bulk_max: usize) -> (RequestSender, RequestReceiver) {
    let (send_express, express) = bounded(express_max);
    let (send_bulk, bulk) = bounded(bulk_max);
    let sender = RequestSender { express: send_express, bulk: send_bulk };
    (sender, RequestReceiver { express, bulk, held_express: None, held_bulk: None, express_before: false })
}

/// How a request waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestClass {
    /// Its connection has little in flight: it is in the next batch.
    #[default]
    Express,
    /// Its connection has much in flight: it waits for its turn among its like.
    Bulk,
}

/// The server's end.
#[derive(Debug)]
pub struct RequestSender {
    express: Sender<Envelope>,
    bulk: Sender<Envelope>,
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// There is no room.
    Full,
    /// The executor has ended.
    Ended,
}

impl RequestSender {
    /// Sends without waiting.
    ///
    /// A connection MUST NOT send an express request while bulk requests of it are unanswered: express requests overtake
    /// bulk ones. The other way round the order of sending is the order of execution.
    ///
    /// # Errors
    /// The request was not taken.
    pub fn send(&self, class: RequestClass, envelope: Envelope) -> Result<(), NotSent> {
        let channel = match class {
            RequestClass::Express => &self.express,
            RequestClass::Bulk => &self.bulk,
        };
        channel.try_send(envelope).map_err(|error| match error {
            TrySendError::Full(_) => NotSent::Full,
            TrySendError::Disconnected(_) => NotSent::Ended,
        })
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.express.len() + self.bulk.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.express.is_empty() && self.bulk.is_empty()
    }
}

/// The executor's end.
#[derive(Debug)]
pub struct RequestReceiver {
    express: Receiver<Envelope>,
    bulk: Receiver<Envelope>,
    /// What was received while waiting, ahead of everything in its channel.
    held_express: Option<Envelope>,
    held_bulk: Option<Envelope>,
    /// The last batch had an express request: its sender is likely to send another as soon as it is answered.
    express_before: bool,
}

/// What came of looking for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// There are some.
    Some,
    /// There are none now.
    Nothing,
    /// There are none, and there will be none.
    Finished,
}

impl RequestReceiver {
    /// Appends the next batch, at most `commands_max` requests, to `batch`, without waiting.
    pub fn take(&mut self, batch: &mut Vec<Envelope>, commands_max: usize) -> Taken {
        // 1. What bulk requests there are is looked at before the express ones are taken: whatever a connection sent
        //    express before one of these is there by now.
        let bulk_there = self.bulk.len();
        // 2. All express requests. If they alone fill the batch no bulk request may join it, because an express one
        //    that was sent before it may be left.
        let before = batch.len();
        batch.extend(self.held_express.take());
        let ended = loop {
            if batch.len() - before >= commands_max {
                return Taken::Some;
            }
            match self.express.try_recv() {
                Ok(envelope) => batch.push(envelope),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        // 3. Bulk requests, as many as the batch has room for.
        let express = batch.len() - before;
        let beside_express = std::mem::replace(&mut self.express_before, express > 0) || express > 0;
        let limit = if beside_express { BULK_BESIDE_EXPRESS_MAX.min(commands_max) } else { commands_max };
        let room = limit.saturating_sub(express).max(limit / BULK_PART).min(commands_max - express);
        let held = self.held_bulk.take_if(|_| room > 0);
        let more = room.saturating_sub(usize::from(held.is_some())).min(bulk_there);
        batch.extend(held.into_iter().chain(self.bulk.try_iter().take(more)));
        match batch.len() - before {
            // The server lets go of both at once: nothing is added any more.
            0 if ended && self.bulk.is_empty() && self.held_bulk.is_none() => Taken::Finished,
            0 => Taken::Nothing,
            _ => Taken::Some,
        }
    }

    /// Keeps what was received from [`RequestReceiver::channels`] for the next batch. There is nothing held of its class.
    pub fn hold(&mut self, class: RequestClass, envelope: Envelope) {
        match class {
            RequestClass::Express => self.held_express = Some(envelope),
            RequestClass::Bulk => self.held_bulk = Some(envelope),
        }
    }

    /// The channels, express and bulk, to be waited for. What is received there is to be held.
    #[must_use]
    pub const fn channels(&self) -> [&Receiver<Envelope>; 2] {
        [&self.express, &self.bulk]
    }
}

#[cfg(test)]
#[path = "request_queue_test.rs"]
mod tests;
