//! The workers of all sinks, of whatever type, as the daemon starts, stops and reaches them.

use std::sync::Arc;

#[cfg(feature = "postgres")]
use crate::contracts::SinkView;
use crate::contracts::{AttachInbox, AttachTarget, DecisionInbox, SinkHandle, SinkType};
#[cfg(feature = "postgres")]
use crate::relay::Seat;
use crate::relay::{Control, Heartbeat, Registration, Subscription, Worker, WorkerError};

/// One sink's worker, before it runs, and how to reach it then.
pub struct Relay {
    /// Reaches it.
    pub handle: RelayHandle,
    /// What has to be done before the worker begins, for a sink that there was no room to record.
    pub registration: Option<Registration>,
    /// What runs.
    pub worker: RelayWorker,
}

/// A worker by the type of its sink.
pub enum RelayWorker {
    /// Delivers lines to a target of the daemon's own: all or nothing.
    Lines(Box<Worker>),
    /// Hands events to whichever program is attached.
    Subscription(Box<Subscription>),
    /// Stands for the sink's relay, and runs a worker whenever it was elected.
    #[cfg(feature = "postgres")]
    Elected(Box<dyn FnOnce() -> Result<(), WorkerError> + Send>),
}

/// Reaches a worker.
#[derive(Clone)]
pub struct RelayHandle {
    /// As the server and the executor reach it.
    pub sink: SinkHandle,
    /// Wakes and stops it.
    pub control: Arc<Control>,
    /// What a watchdog looks at.
    pub heartbeat: Arc<Heartbeat>,
    /// Where connections go; `None` for a sink that no program can attach to.
    pub attaches: Option<Arc<AttachInbox>>,
}

impl Relay {
    /// A worker of lines.
    #[must_use]
    pub fn of_lines(worker: Worker, sink_type: SinkType) -> Self {
        let control = Arc::new(Control::default());
        let sink = SinkHandle {
            name: worker.name().into(),
            sink_type,
            inbox: worker.inbox(&control),
            view: worker.view(),
            monitor: worker.monitor(),
        };
        let handle = RelayHandle { sink, control, heartbeat: worker.heartbeat(), attaches: None };
        Self { handle, registration: None, worker: RelayWorker::Lines(Box::new(worker)) }
    }

    /// Where it hears of decisions.
    #[must_use]
    pub fn inbox(&self) -> (Arc<str>, Arc<DecisionInbox>) {
        (Arc::clone(&self.handle.sink.name), Arc::clone(&self.handle.sink.inbox))
    }

    /// A worker that comes and goes: it is reached at its seat.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn of_seat(
        name: &str,
        sink_type: SinkType,
        seat: &Seat,
        run: Box<dyn FnOnce() -> Result<(), WorkerError> + Send>,
    ) -> Self {
        let sink = SinkHandle {
            name: name.into(),
            sink_type,
            inbox: Arc::clone(&seat.inbox),
            view: Arc::clone(&seat.view) as Arc<dyn SinkView>,
            monitor: Arc::clone(&seat.monitor),
        };
        let attaches = (sink_type == SinkType::Subscription).then(|| Arc::clone(&seat.attaches));
        let (control, heartbeat) = (Arc::clone(&seat.control), Arc::clone(&seat.heartbeat));
        let handle = RelayHandle { sink, control, heartbeat, attaches };
        Self { handle, registration: None, worker: RelayWorker::Elected(run) }
    }

    /// Works until it is told to stop, once the sink is recorded. This is all that the worker's thread does.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    pub fn run(self) -> Result<(), WorkerError> {
        let Self { handle, registration, worker } = self;
        if let Some(registration) = registration
            && !registration.run(&handle.control, &handle.heartbeat)?
        {
            return Ok(());
        }
        worker.run(&handle.control)
    }

    /// A subscription's worker.
    #[must_use]
    pub fn of_subscription(name: &str, worker: Subscription) -> Self {
        let sink = SinkHandle {
            name: name.into(),
            sink_type: SinkType::Subscription,
            inbox: worker.inbox(),
            view: worker.view(),
            monitor: worker.monitor(),
        };
        let (control, heartbeat) = (worker.control(), worker.heartbeat());
        let handle = RelayHandle { sink, control, heartbeat, attaches: Some(worker.attaches()) };
        Self { handle, registration: None, worker: RelayWorker::Subscription(Box::new(worker)) }
    }
}

impl RelayHandle {
    /// The sink as programs attach to it.
    #[must_use]
    pub fn target(&self, consumer_uids: &[u32]) -> AttachTarget {
        AttachTarget {
            name: Arc::clone(&self.sink.name),
            inbox: self.attaches.clone(),
            consumer_uids: consumer_uids.into(),
        }
    }
}

impl RelayWorker {
    /// Works until it is told to stop.
    ///
    /// # Errors
    /// The daemon must end: see [`WorkerError`].
    fn run(self, control: &Control) -> Result<(), WorkerError> {
        match self {
            Self::Lines(worker) => worker.run(control),
            Self::Subscription(subscription) => subscription.run(),
            #[cfg(feature = "postgres")]
            Self::Elected(run) => run(),
        }
    }
}
