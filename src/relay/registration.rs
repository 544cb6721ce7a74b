//! A new sink for which there was no room at the start: recorded as soon as there is.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use super::control::Wait;
use super::deciding::Deciding;
use super::{Control, Heartbeat, WorkerError};
use crate::contracts::{
    Clock, DecisionBatch, DecisionInbox, DecisionKind, DecisionNews, ProgressError, SinkMonitor, SinkStartPoint,
    SinkState,
};

/// How soon room for a cursor is looked for again.
const RETRY: Duration = Duration::from_millis(500);

/// Makes the cursor of a new sink; [`ProgressError::TryAgain`] says that there is no room for it.
pub type MakeCursor = Box<dyn FnMut() -> Result<(), ProgressError> + Send>;

/// How a registration gets to the disk and to the executor, and shows itself.
pub struct RegistrationPorts {
    /// Makes the cursor, if it was not made.
    pub make_cursor: Option<MakeCursor>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Where the decision goes.
    pub decide: Sender<DecisionBatch>,
    /// In whose name.
    pub uid: u32,
    /// Where the executor's answer comes.
    pub inbox: Arc<DecisionInbox>,
    /// What shows the sink.
    pub monitor: Arc<SinkMonitor>,
}

/// Makes the cursor of a new sink and has the sink recorded, in this order, each as soon as there is room. Its worker
/// begins after that; the journal is kept from where the sink begins, as if it had begun.
pub struct Registration {
    sink: Arc<str>,
    /// Where the sink begins.
    start: SinkStartPoint,
    ports: RegistrationPorts,
    deciding: Deciding,
    is_offered: bool,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The sink is recorded.
    Done,
    /// There is no room yet; to be tried again at this time by the steady clock.
    NotBefore(Duration),
}

impl Registration {
    /// A registration of `sink`, which begins at `start`.
    #[must_use]
    pub fn new(sink: Arc<str>, start: SinkStartPoint, ports: RegistrationPorts) -> Self {
        let deciding = Deciding::new(Arc::clone(&sink), ports.uid, ports.decide.clone());
        Self { sink, start, ports, deciding, is_offered: false }
    }

    /// Tries until the sink is recorded; false if it is told to stop before.
    ///
    /// # Errors
    /// See [`Registration::step`].
    pub fn run(mut self, control: &Control, heartbeat: &Heartbeat) -> Result<bool, WorkerError> {
        while let Registered::NotBefore(at) = self.step()? {
            if control.stop_requested() {
                return Ok(false);
            }
            heartbeat.set_waiting(true);
            control.wait(Wait::Pause(at.saturating_sub(self.ports.clock.monotonic())));
            heartbeat.set_waiting(false);
            heartbeat.beat();
        }
        Ok(true)
    }

    /// Does what there is room for.
    ///
    /// # Errors
    /// The disk refuses for another reason than want of room: the daemon must end.
    pub fn step(&mut self) -> Result<Registered, WorkerError> {
        let now = self.ports.clock.monotonic();
        if let Some(make_cursor) = &mut self.ports.make_cursor {
            match make_cursor() {
                Ok(()) => self.ports.make_cursor = None,
                Err(ProgressError::TryAgain(problem)) => {
                    self.show(&problem);
                    return Ok(Registered::NotBefore(now.saturating_add(RETRY)));
                }
                Err(error @ (ProgressError::Deposed(_) | ProgressError::Unknown(_))) => return Err(error.into()),
            }
        }
        if !self.is_offered {
            let kind = DecisionKind::Registered(self.start.clone());
            let decision = self.deciding.decide(kind, Arc::from(""), self.ports.clock.now());
            self.deciding.offer(vec![decision], now);
            self.is_offered = true;
        }
        self.deciding.send_due(now);
        self.hear(now);
        if self.deciding.is_busy() {
            return Ok(Registered::NotBefore(self.deciding.send_at().unwrap_or(now.saturating_add(RETRY))));
        }
        tracing::info!(sink = &*self.sink, after = %self.start.after, "a new sink starts");
        self.ports.monitor.update(|status| {
            status.state = SinkState::Idle;
            status.last_error = None;
        });
        Ok(Registered::Done)
    }

    /// What was decided after the registration is left to the worker.
    fn hear(&mut self, now: Duration) {
        while self.deciding.is_busy()
            && let Some(news) = self.ports.inbox.take_oldest()
        {
            match news {
                DecisionNews::Durable { ticket, .. } => {
                    self.deciding.heard(ticket);
                }
                DecisionNews::Full { ticket } => {
                    self.deciding.full(ticket, now);
                    self.show("the journal has none for its record");
                }
                DecisionNews::Retry => {}
            }
        }
    }

    fn show(&self, problem: &str) {
        self.ports.monitor.update(|status| {
            status.state = SinkState::Retrying;
            status.last_error = Some(format!("no room to register the sink, which begins when there is: {problem}"));
        });
    }
}

#[cfg(test)]
#[path = "registration_test.rs"]
mod tests;
