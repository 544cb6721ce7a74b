//! One event on its way to the target, and the answer that is owed for it.

use std::ops::Deref;

use crossbeam_channel::Sender;

use crate::event::Event;
use crate::outcome::Outcome;

/// An event that wants exactly one outcome. It may be moved to any thread or task and answered from there. One that is
/// dropped without an answer counts as failed: nothing is lost by forgetting it.
#[derive(Debug)]
#[must_use = "every delivery is answered with `report`"]
pub struct Delivery {
    event: Event,
    reply: Option<Reply>,
}

/// The outcome of one hand-out of one session.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) session: u64,
    pub(crate) tag: u64,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
struct Reply {
    session: u64,
    reports: Sender<Vec<Report>>,
}

impl Delivery {
    pub(crate) const fn new(event: Event, session: u64, reports: Sender<Vec<Report>>) -> Self {
        Self { event, reply: Some(Reply { session, reports }) }
    }

    /// Answers for the event. Outcomes may come in any order, from any thread; of a session that has ended they count
    /// for nothing.
    pub fn report(self, outcome: Outcome) {
        Self::report_each([(self, outcome)]);
    }

    /// Answers the same for all of these.
    pub fn report_all(deliveries: impl IntoIterator<Item = Self>, outcome: &Outcome) {
        Self::report_each(deliveries.into_iter().map(|delivery| (delivery, outcome.clone())));
    }

    /// Answers for several events of one connector at once, which costs the daemon and us less than one by one.
    pub fn report_each(outcomes: impl IntoIterator<Item = (Self, Outcome)>) {
        let (mut reports, mut channel) = (Vec::new(), None);
        for (mut delivery, outcome) in outcomes {
            if let Some(Reply { session, reports: sender }) = delivery.reply.take() {
                reports.push(Report { session, tag: delivery.event.tag, outcome });
                channel = Some(sender);
            }
        }
        if let Some(channel) = channel {
            // The receiver is gone only when the process is about to end.
            channel.send(reports).ok();
        }
    }
}

impl Deref for Delivery {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(Reply { session, reports }) = self.reply.take() {
            let outcome = Outcome::failed("the connector ended its attempt without an answer");
            reports.send(vec![Report { session, tag: self.event.tag, outcome }]).ok();
        }
    }
}
