//! The connector's main loop: daemon, target, signals and service manager meet here.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};

use crate::backoff::Backoff;
use crate::config::Common;
use crate::delivery::{Delivery, Report};
use crate::exit::{Exit, Failure};
use crate::link::{self, FromLink, LinkOptions, Writer};
use crate::outcome::Unavailable;
use crate::protocol::Refusal;
use crate::service::ServiceManager;
use crate::session::Session;
use crate::signals::Signal;
use crate::target_thread::{TargetThread, Work};

/// How long the daemon may take to close a connection that we have finished.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// How long the loop sleeps when nothing happens and nothing is due.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The state of the loop.
pub(crate) struct Runner {
    common: Common,
    options: LinkOptions,
    target: TargetThread,
    signals: Receiver<Signal>,
    report_to: Sender<Vec<Report>>,
    reports: Receiver<Vec<Report>>,
    service: ServiceManager,
    backoff: Backoff,
    link: Link,
    sessions: u64,
    target_idle: bool,
    reload: bool,
    /// After SIGTERM: until when what is in flight may be answered.
    stop_at: Option<Instant>,
    /// The last time that the target answered, became idle or got work while it had none.
    progress_at: Instant,
    target_down: bool,
}

/// Where we are with the daemon.
enum Link {
    /// The next attempt is at this time.
    Waiting(Instant),
    /// The reading thread connects and attaches.
    Attaching(Receiver<FromLink>),
    /// Events come.
    Attached { from: Receiver<FromLink>, writer: Writer, session: Box<Session> },
    /// Everything is answered and the daemon knows; it is about to close the connection.
    Leaving { from: Receiver<FromLink>, until: Instant, _writer: Writer },
}

/// Whether the loop goes on.
enum Turn {
    Again,
    Stop,
}

impl Runner {
    pub(crate) fn new(
        common: Common,
        options: LinkOptions,
        target: TargetThread,
        signals: Receiver<Signal>,
        now: Instant,
    ) -> Self {
        let limits = common.limits;
        // Room for the answers of everything in flight, so that no target waits for this loop.
        let (report_to, reports) = bounded(2 * common.in_flight_max);
        Self {
            backoff: Backoff::new(limits.reattach_min, limits.reattach_max),
            common,
            options,
            target,
            signals,
            report_to,
            reports,
            service: ServiceManager::from_env(now),
            link: Link::Waiting(now),
            sessions: 0,
            target_idle: false,
            reload: false,
            stop_at: None,
            progress_at: now,
            target_down: false,
        }
    }

    /// Runs until SIGTERM, or until the daemon refuses for good.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        self.service.ready();
        while let Turn::Again = self.turn(Instant::now())? {
            self.wait()?;
        }
        self.close_target();
        Ok(())
    }

    /// Waits for whatever comes first and takes it in.
    fn wait(&mut self) -> Result<(), Failure> {
        let silence = never();
        let from_link = match &self.link {
            Link::Waiting(_) => &silence,
            Link::Attaching(from) | Link::Attached { from, .. } | Link::Leaving { from, .. } => from,
        };
        let timeout = self.wake_at().saturating_duration_since(Instant::now());
        select! {
            recv(from_link) -> message => {
                let message = message.unwrap_or_else(|_| FromLink::Ended("the connection is gone".to_owned()));
                self.on_link(message)?;
            }
            recv(self.reports) -> reports => {
                self.on_reports(reports.unwrap_or_default());
                while let Ok(reports) = self.reports.try_recv() {
                    self.on_reports(reports);
                }
            }
            recv(self.target.idle) -> idle => match idle {
                Ok(()) => {
                    self.target_idle = true;
                    self.progress_at = Instant::now();
                }
                Err(_) => return Err(Failure::new(Exit::Internal, "the target's thread has ended")),
            },
            recv(self.signals) -> signal => match signal {
                Ok(Signal::Stop) => self.stop(),
                Ok(Signal::Reload) => {
                    self.service.reloading();
                    self.reload = true;
                }
                Err(_) => return Err(Failure::new(Exit::Internal, "the signals' thread has ended")),
            },
            default(timeout) => {}
        }
        Ok(())
    }

    fn wake_at(&self) -> Instant {
        let link = match &self.link {
            Link::Waiting(at) => Some(*at),
            Link::Attaching(_) => None,
            Link::Attached { session, .. } => session.wake_at(),
            Link::Leaving { until, .. } => Some(*until),
        };
        let due = [link, self.service.watchdog_at(), self.stop_at].into_iter().flatten().min();
        due.unwrap_or_else(|| Instant::now() + IDLE_MAX)
    }

    /// Does what is due.
    fn turn(&mut self, now: Instant) -> Result<Turn, Failure> {
        self.service.feed(now, self.has_progress(now));
        if self.target_idle && self.reload {
            self.give(Work::Reload)?;
            self.reload = false;
            self.service.ready();
        }
        self.hand_over(now)?;
        self.send_outcomes(now)?;
        match &self.link {
            Link::Waiting(_) if self.stop_at.is_some() => Ok(Turn::Stop),
            Link::Waiting(at) if *at <= now => self.attach(),
            Link::Leaving { until, .. } if *until <= now => Ok(Turn::Stop),
            Link::Attaching(_) if self.stop_at.is_some() => Ok(Turn::Stop),
            Link::Attached { .. } if self.stop_at.is_some() => Ok(self.leave(now)),
            Link::Waiting(_) | Link::Attaching(_) | Link::Attached { .. } | Link::Leaving { .. } => Ok(Turn::Again),
        }
    }

    fn attach(&mut self) -> Result<Turn, Failure> {
        self.service.status("attaching");
        let from = link::start(self.options.clone()).map_err(|error| Failure::io("cannot start a thread", &error))?;
        self.link = Link::Attaching(from);
        Ok(Turn::Again)
    }

    /// A begun batch at a time: while the target is busy, the next one gathers.
    fn hand_over(&mut self, now: Instant) -> Result<(), Failure> {
        let Link::Attached { session, .. } = &mut self.link else { return Ok(()) };
        if !self.target_idle || !session.has_pending() {
            return Ok(());
        }
        if !session.is_waiting() {
            self.progress_at = now;
        }
        let id = session.id();
        let events = session.begin(self.common.batch_events_max);
        let reports = &self.report_to;
        let batch = events.into_iter().map(|event| Delivery::new(event, id, reports.clone())).collect();
        self.give(Work::Deliver(batch))
    }

    fn give(&mut self, work: Work) -> Result<(), Failure> {
        self.target_idle = false;
        self.target.work.send(work).map_err(|_| Failure::new(Exit::Internal, "the target's thread has ended"))
    }

    fn send_outcomes(&mut self, now: Instant) -> Result<(), Failure> {
        let Link::Attached { from, writer, session } = &mut self.link else { return Ok(()) };
        let (lines, outage) = session.outgoing(now);
        if lines.is_empty() {
            return Ok(());
        }
        // What has come until now was handed out before the daemon knows of the outage, and is voided with the rest.
        // Later it could not be told from the attempt at the end of the back-off.
        let voided: Vec<FromLink> = if outage.is_some() { from.try_iter().collect() } else { Vec::new() };
        let sent = writer.send(lines.as_bytes());
        if let Some(outage) = outage {
            self.on_outage(&outage);
        }
        if let Err(error) = sent {
            self.detached(&format!("the daemon does not take outcomes: {error}"));
        }
        let not_an_event = |message: &FromLink| !matches!(message, FromLink::Events(_));
        voided.into_iter().filter(not_an_event).try_for_each(|message| self.on_link(message))
    }

    fn on_outage(&mut self, Unavailable { reason, blocked, .. }: &Unavailable) {
        if *blocked {
            tracing::error!(reason, "the target refuses everything: needs an operator");
            self.service.status(&format!("blocked: {reason}"));
        } else {
            tracing::warn!(reason, "the target is not available");
            self.service.status(&format!("the target is not available: {reason}"));
        }
        self.target_down = true;
    }

    fn on_reports(&mut self, reports: Vec<Report>) {
        let now = Instant::now();
        self.progress_at = now;
        let Link::Attached { session, .. } = &mut self.link else { return };
        let before = session.delivered_total();
        reports.into_iter().for_each(|report| session.settle(report, now));
        if self.target_down && session.delivered_total() > before {
            self.target_down = false;
            tracing::info!("the target takes events again");
            self.service.status(&format!("attached to sink {}", self.common.sink));
        }
    }

    fn on_link(&mut self, message: FromLink) -> Result<(), Failure> {
        match message {
            FromLink::Attached(attached, writer) => {
                let Link::Attaching(from) = std::mem::replace(&mut self.link, Link::Waiting(Instant::now())) else {
                    return Ok(());
                };
                tracing::info!(
                    sink = self.common.sink,
                    acked_sequence = attached.acked_sequence,
                    storeepoch = attached.storeepoch,
                    in_flight_max = attached.in_flight_max,
                    "attached"
                );
                self.service.status(&format!("attached to sink {}", self.common.sink));
                self.sessions += 1;
                let limits = self.common.limits;
                let session = Box::new(Session::new(self.sessions, limits.settle, limits.reason_chars_max));
                self.link = Link::Attached { from, writer, session };
            }
            FromLink::Events(events) => {
                self.backoff.reset();
                if let (Link::Attached { session, .. }, None) = (&mut self.link, self.stop_at) {
                    session.take_in(events);
                }
            }
            FromLink::Closing { kind, message } => {
                tracing::warn!(kind, message, "the daemon closes the connection");
            }
            FromLink::Refused(refusal) => return self.refused(&refusal),
            FromLink::Ended(reason) => self.detached(&reason),
        }
        Ok(())
    }

    fn refused(&mut self, refusal: &Refusal) -> Result<(), Failure> {
        if refusal.data.retryable {
            self.detached(&refusal.message);
            return Ok(());
        }
        let exit = if refusal.data.kind == "permission_denied" { Exit::Permission } else { Exit::Refused };
        Err(Failure::new(exit, format!("the daemon refuses to attach this connector: {}", refusal.message)))
    }

    fn detached(&mut self, reason: &str) {
        let now = Instant::now();
        if matches!(self.link, Link::Leaving { .. }) {
            self.link = Link::Waiting(now);
            return;
        }
        let wait = self.backoff.wait();
        if self.stop_at.is_none() {
            tracing::warn!(reason, wait_ms = wait.as_millis(), "not attached");
            self.service.status(&format!("not attached: {reason}"));
        }
        self.link = Link::Waiting(now + wait);
    }

    fn stop(&mut self) {
        let now = Instant::now();
        if self.stop_at.is_some() {
            tracing::warn!("asked to stop a second time: not waiting any longer");
            self.stop_at = Some(now);
            return;
        }
        tracing::info!("stopping: answering what is in flight");
        self.service.stopping();
        self.stop_at = Some(now + self.common.limits.drain);
    }

    /// Leaves when everything is answered or the time is over.
    fn leave(&mut self, now: Instant) -> Turn {
        let Link::Attached { session, .. } = &self.link else { return Turn::Again };
        let overdue = self.stop_at.is_some_and(|at| at <= now);
        if !session.is_settled() && !overdue {
            return Turn::Again;
        }
        if !session.is_settled() {
            tracing::warn!("what is in flight was not answered within drain_ms_max; it will be handed out again");
        }
        tracing::info!(delivered = session.delivered_total(), "detaching");
        let until = now + FAREWELL_MAX;
        // The time for answers is over, the time for the farewell begins.
        self.stop_at = Some(until);
        if let Link::Attached { from, writer, .. } = std::mem::replace(&mut self.link, Link::Waiting(now)) {
            writer.finish();
            self.link = Link::Leaving { from, until, _writer: writer };
        }
        Turn::Again
    }

    /// Whether the target does what it has been given.
    fn has_progress(&self, now: Instant) -> bool {
        let waiting = match &self.link {
            Link::Attached { session, .. } => session.is_waiting(),
            Link::Waiting(_) | Link::Attaching(_) | Link::Leaving { .. } => false,
        };
        let patience = self.common.timeout * 2 + Duration::from_secs(5);
        (self.target_idle && !waiting) || now.saturating_duration_since(self.progress_at) < patience
    }

    /// Gives the target a moment to close its connections in good order.
    fn close_target(self) {
        let Self { target: TargetThread { work, idle }, .. } = self;
        drop(work);
        let until = Instant::now() + FAREWELL_MAX;
        // Messages of becoming idle may still come; the end of the channel is the end of the thread.
        while idle.recv_deadline(until).is_ok() {}
    }
}
