//! The worker's loop: a turn, then a wait for connections or a signal.

use std::time::Duration;

use mio::Events;

use super::next::Next;
use super::{Step, Subscription, WorkerError};
use crate::contracts::SinkState;

/// Readiness of a few connections.
const EVENTS_MAX: usize = 16;

impl Subscription {
    /// Works until it is told to stop, then saves the cursor. This is all that the worker's thread does.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    pub fn run(mut self) -> Result<(), WorkerError> {
        let ended = self.work().and_then(|()| self.save_all());
        self.heartbeat.set_waiting(true);
        self.monitor.update(|status| {
            status.state = SinkState::Stopped;
            if let Err(error) = &ended {
                status.last_error = Some(error.to_string());
            }
        });
        ended
    }

    fn save_all(&mut self) -> Result<(), WorkerError> {
        let now = self.clock.monotonic();
        self.settle_replays(now, true)?;
        self.save(now)
    }

    /// One turn, with whatever connections have ready, and without waiting: what [`Subscription::run`] repeats.
    ///
    /// # Errors
    /// As there.
    pub fn step(&mut self) -> Result<Step, WorkerError> {
        self.wait(&mut Events::with_capacity(EVENTS_MAX), Some(Duration::ZERO))?;
        Ok(match self.turn()? {
            Next::Again => Step::Delivered,
            Next::Wait(Some(at)) => Step::CursorDue(at),
            Next::Wait(None) | Next::Ended => Step::Idle,
        })
    }

    fn work(&mut self) -> Result<(), WorkerError> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let wait = match self.turn()? {
                Next::Again => Some(Duration::ZERO),
                Next::Wait(until) => until.map(|at| at.saturating_sub(self.clock.monotonic())),
                Next::Ended => return Ok(()),
            };
            self.wait(&mut events, wait)?;
        }
    }

    /// Waits for connections, or to be woken.
    fn wait(&mut self, events: &mut Events, wait: Option<Duration>) -> Result<(), WorkerError> {
        self.heartbeat.set_waiting(true);
        let polled = self.poll.poll(events, wait);
        self.heartbeat.set_waiting(false);
        match polled {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        self.control.begin_turn();
        events.iter().for_each(|event| self.note(event));
        Ok(())
    }

    fn note(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if let Some(consumer) = self.consumer.as_mut().filter(|consumer| consumer.token == token) {
            consumer.connection.note(event);
        }
        for (_, lingering) in self.lingering.iter_mut().filter(|(other, _)| *other == token) {
            lingering.connection().note(event);
        }
    }
}
