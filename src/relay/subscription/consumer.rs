//! The attached program: how it comes, what it says, and how it goes.

use std::sync::Arc;
use std::time::Duration;

use mio::Token;

use super::Subscription;
use super::connection::{Connection, Consumer, Incoming, Lingering};
use super::protocol::{self, AttachRefusal, Attached, ClosingKind, Notification};
use crate::contracts::{AttachRequest, PublishedEvent};
use crate::domain::OrderEvent;
use crate::relay::scheduler::{DeliveryNote, Scheduler, StreamId, UnknownTag};

/// Lines that are taken in one turn, so that everything else has its turn, too.
const LINES_MAX: usize = 1024;
/// Connections that are told why they are closed, at the same time.
const LINGERING_MAX: usize = 8;

impl Subscription {
    /// Answers the programs that want to attach.
    pub(super) fn take_attaches(&mut self, now: Duration) {
        while let Some(request) = self.attaches.take() {
            if self.drain_until.is_some() {
                self.refuse(request, AttachRefusal::ShuttingDown, "the daemon stops; attach again after it", now);
                continue;
            }
            if self.consumer.is_some() && request.take_over {
                self.close(ClosingKind::TakenOver, "another program has taken the sink over", now);
            }
            if self.consumer.is_some() {
                // It may be gone already, and only the end of its stream was not read yet.
                self.take_outcomes(now);
            }
            if self.consumer.is_some() {
                let message = "another program is attached; try again later, or attach with take_over";
                self.refuse(request, AttachRefusal::SinkAttached, message, now);
                continue;
            }
            self.attach(request);
        }
    }

    fn attach(&mut self, request: AttachRequest) {
        let AttachRequest { id, uid, program, in_flight_max, stream, received, occupancy, .. } = request;
        let token = self.next_token();
        let connection = Connection::new(stream, received, self.settings.line_bytes_max, occupancy);
        let registered = connection.and_then(|mut connection| {
            connection.register(self.poll.registry(), token)?;
            Ok(connection)
        });
        let mut connection = match registered {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(sink = &*self.settings.name, %error, "a program cannot be attached");
                return;
            }
        };
        let most = self.settings.limits.in_flight_max;
        let in_flight_max = in_flight_max.map_or(most, |wanted| wanted.clamp(1, most));
        let mut scheduler = self.shared.scheduler();
        scheduler.attach(in_flight_max);
        let acked_sequence = scheduler.standing().prefix.0;
        drop(scheduler);
        let answer =
            Attached { sink: &self.settings.name, acked_sequence, storeepoch: self.settings.epoch, in_flight_max };
        protocol::attached(connection.output(), &id, &answer);
        tracing::info!(sink = &*self.settings.name, program = %program.escape_debug(), uid, in_flight_max, "attached");
        self.monitor.update(|status| status.attached = Some(program));
        self.attaches.set_attached(true);
        self.consumer = Some(Consumer { connection, token });
    }

    fn refuse(&mut self, request: AttachRequest, refusal: AttachRefusal, message: &str, now: Duration) {
        let AttachRequest { id, stream, received, occupancy, .. } = request;
        let Ok(mut connection) = Connection::new(stream, received, self.settings.line_bytes_max, occupancy) else {
            return;
        };
        protocol::refused(connection.output(), &id, refusal, message);
        let token = self.next_token();
        if connection.register(self.poll.registry(), token).is_ok() {
            self.linger(token, connection, now);
        }
    }

    /// Takes what the program says; whether there is more.
    pub(super) fn take_outcomes(&mut self, now: Duration) -> bool {
        for _ in 0..LINES_MAX {
            let Some(consumer) = &mut self.consumer else { return false };
            let notification = match consumer.connection.next() {
                Incoming::Nothing => return false,
                Incoming::End => {
                    self.detach("the program has closed the connection", now);
                    return false;
                }
                Incoming::Line(line) => protocol::parse(line, self.settings.delivered_tags_max),
                Incoming::TooLong => {
                    Err(format!("a line has at most {} bytes before its end", self.settings.line_bytes_max))
                }
            };
            let taken = notification.and_then(|notification| self.take(&notification, now));
            if let Err(problem) = taken {
                self.close(ClosingKind::ProtocolError, &problem, now);
                return false;
            }
        }
        true
    }

    fn take(&mut self, notification: &Notification, now: Duration) -> Result<(), String> {
        let mut scheduler = self.shared.scheduler();
        let taken = outcome(&mut scheduler, notification, now);
        let deliveries = scheduler.take_deliveries();
        drop(scheduler);
        self.measure(&deliveries);
        taken.map_err(|error| error.to_string())
    }

    fn measure(&self, deliveries: &[DeliveryNote]) {
        let now = self.clock.now();
        for delivery in deliveries {
            self.monitor.metrics().delivery_duration.record_duration(delivery.took);
            if delivery.stream != StreamId::Live {
                continue;
            }
            let parked = || self.parked.get(&delivery.order_id)?.iter().find(|it| it.sequence == delivery.sequence);
            // How long ago an order was changed says nothing of its snapshot.
            let raised = |event: &&Arc<PublishedEvent>| !matches!(event.entry.event, OrderEvent::Snapshot(_));
            if let Some(event) = self.content.kept(delivery.sequence).or_else(parked).filter(raised) {
                self.monitor.note_acknowledged(event.entry.event.occurred_at(), 1, now);
            }
        }
    }

    /// Closes the connection, and tells the program why.
    pub(super) fn close(&mut self, kind: ClosingKind, message: &str, now: Duration) {
        if let Some(consumer) = &mut self.consumer {
            protocol::closing(consumer.connection.output(), kind, message);
        }
        let Some(consumer) = self.detach(message, now) else { return };
        tracing::info!(sink = &*self.settings.name, kind = kind.as_str(), message, "closed the attached connection");
        self.linger(consumer.token, consumer.connection, now);
    }

    /// The program is gone: what it had not answered waits again.
    fn detach(&mut self, reason: &str, now: Duration) -> Option<Consumer> {
        let mut consumer = self.consumer.take()?;
        if !reason.is_empty() {
            tracing::info!(sink = &*self.settings.name, reason, "detached");
        }
        consumer.connection.flush();
        self.shared.scheduler().detach(&Arc::from(reason), now);
        self.monitor.update(|status| status.attached = None);
        self.attaches.set_attached(false);
        Some(consumer)
    }

    fn linger(&mut self, token: Token, connection: Connection, now: Duration) {
        if self.lingering.len() >= LINGERING_MAX {
            self.lingering.remove(0);
        }
        self.lingering.push((token, Lingering::new(connection, now)));
    }

    fn next_token(&mut self) -> Token {
        self.last_token = self.last_token.wrapping_add(1).max(1);
        Token(self.last_token)
    }
}

fn outcome(scheduler: &mut Scheduler, notification: &Notification, now: Duration) -> Result<(), UnknownTag> {
    match notification {
        Notification::Delivered(tags) => tags.iter().try_for_each(|tag| scheduler.delivered(*tag, now)),
        Notification::Failed { tag, reason, retry_after } => scheduler.failed(*tag, reason, *retry_after, now),
        Notification::Rejected { tag, reason } => scheduler.rejected(*tag, reason, now),
        Notification::Unavailable { reason, retry_after, blocked } => {
            scheduler.unavailable(reason, *retry_after, *blocked, now);
            Ok(())
        }
    }
}
