//! What of a sink's worker is there all the time, while the worker itself comes and goes with an election.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::subscription::{AttachRefusal, refused};
use super::{Control, Heartbeat};
use crate::contracts::{
    AttachInbox, DecisionInbox, EventState, EventView, Failure, LaneView, ReplayView, Sequence, SinkMonitor,
    SinkStatus, SinkView,
};
use crate::domain::OrderId;

/// Where a sink's worker is reached, whether there is one at present or not.
#[derive(Clone)]
pub struct Seat {
    /// Wakes and stops whoever has the seat.
    pub control: Arc<Control>,
    /// What is shown of the sink.
    pub monitor: Arc<SinkMonitor>,
    /// What a watchdog looks at.
    pub heartbeat: Arc<Heartbeat>,
    /// Where decisions are put.
    pub inbox: Arc<DecisionInbox>,
    /// Where connections are put.
    pub attaches: Arc<AttachInbox>,
    /// What only the worker knows.
    pub view: Arc<SeatView>,
}

impl Seat {
    /// A vacant seat.
    #[must_use]
    pub fn new(status: SinkStatus) -> Self {
        let control = Arc::new(Control::default());
        let waker = |control: &Arc<Control>| -> Box<dyn Fn() + Send + Sync> {
            let control = Arc::clone(control);
            Box::new(move || control.wake())
        };
        let view = SeatView { worker: Mutex::new(None), acknowledged: Mutex::new(status.acked_sequence) };
        Self {
            inbox: Arc::new(DecisionInbox::new(waker(&control))),
            attaches: Arc::new(AttachInbox::new(waker(&control))),
            monitor: Arc::new(SinkMonitor::new(status)),
            heartbeat: Arc::default(),
            view: Arc::new(view),
            control,
        }
    }
}

impl Seat {
    /// Nobody has the seat: what comes is let go, and programs that want to attach hear `elsewhere`.
    pub fn leave(&self, elsewhere: &str) {
        self.view.set_worker(None);
        self.control.set_follower(None);
        self.heartbeat.set_waiting(true);
        self.attaches.set_attached(false);
        while let Some(mut request) = self.attaches.take() {
            let mut answer = Vec::new();
            refused(&mut answer, &request.id, AttachRefusal::NotTheRelay, elsewhere);
            // A line fits; a program that is gone needs no answer.
            request.stream.write_all(&answer).ok();
        }
        drop(self.inbox.take());
    }
}

/// The view of the worker that has the seat; while there is none, how far the sink is known to be.
pub struct SeatView {
    worker: Mutex<Option<Arc<dyn SinkView>>>,
    acknowledged: Mutex<Sequence>,
}

impl SeatView {
    /// From now on this worker has the seat; with `None` nobody has.
    pub fn set_worker(&self, worker: Option<Arc<dyn SinkView>>) {
        *locked(&self.worker) = worker;
    }

    /// While nobody has the seat: how far the sink is.
    pub fn set_acknowledged(&self, sequence: Sequence) {
        *locked(&self.acknowledged) = sequence;
    }

    fn worker(&self) -> Option<Arc<dyn SinkView>> {
        locked(&self.worker).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SinkView for SeatView {
    fn acked_sequence(&self) -> Sequence {
        self.worker().map_or_else(|| *locked(&self.acknowledged), |worker| worker.acked_sequence())
    }

    fn events(&self, events: &[Sequence]) -> Vec<EventView> {
        if let Some(worker) = self.worker() {
            return worker.events(events);
        }
        let acknowledged = *locked(&self.acknowledged);
        let view = |sequence: &Sequence| {
            let state = if *sequence <= acknowledged { EventState::Settled } else { EventState::Pending };
            EventView { state, attempts: 0, reason: None }
        };
        events.iter().map(view).collect()
    }

    fn lane(&self, order_id: OrderId) -> Option<LaneView> {
        self.worker()?.lane(order_id)
    }

    fn failures(&self) -> Vec<Failure> {
        self.worker().map(|worker| worker.failures()).unwrap_or_default()
    }

    fn replay(&self, replay_id: Uuid) -> Option<ReplayView> {
        self.worker()?.replay(replay_id)
    }
}
