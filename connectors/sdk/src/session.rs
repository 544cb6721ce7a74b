//! What is owed to the daemon for the events of one attachment. No I/O and no clock of its own.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::delivery::Report;
use crate::event::Event;
use crate::outcome::{Outcome, Unavailable};
use crate::protocol::{TAGS_MAX, ToDaemon};
use crate::text;

/// The state of one attachment.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    settle: Duration,
    reason_chars_max: usize,
    /// Handed out and not yet begun.
    pending: VecDeque<Event>,
    /// Begun and not yet answered by the target.
    begun: HashMap<u64, Begun>,
    /// Delivered, and the daemon does not know yet.
    delivered: Vec<u64>,
    /// The other lines that are to be sent.
    lines: String,
    /// The target is not available; `unavailable` is sent when what was begun has been answered.
    outage: Option<Outage>,
    delivered_total: u64,
}

/// What a log line about an event says of it.
#[derive(Debug)]
struct Begun {
    sequence: u64,
    attempt: u64,
}

#[derive(Debug)]
struct Outage {
    unavailable: Unavailable,
    send_at: Instant,
}

impl Session {
    pub(crate) fn new(id: u64, settle: Duration, reason_chars_max: usize) -> Self {
        Self {
            id,
            settle,
            reason_chars_max,
            pending: VecDeque::new(),
            begun: HashMap::new(),
            delivered: Vec::new(),
            lines: String::new(),
            outage: None,
            delivered_total: 0,
        }
    }

    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    pub(crate) const fn delivered_total(&self) -> u64 {
        self.delivered_total
    }

    /// Nothing waits for the target.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.begun.is_empty() && self.outage.is_none()
    }

    /// The target owes answers.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.begun.is_empty()
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Events that the daemon has handed out.
    pub(crate) fn take_in(&mut self, events: Vec<Event>) {
        // What arrives during an outage was handed out before the daemon knew of it: `unavailable` will void it.
        if self.outage.is_none() {
            self.pending.extend(events);
        }
    }

    /// The next events for the target.
    pub(crate) fn begin(&mut self, events_max: usize) -> Vec<Event> {
        let events: Vec<Event> = self.pending.drain(..events_max.min(self.pending.len())).collect();
        for event in &events {
            self.begun.insert(event.tag, Begun { sequence: event.sequence, attempt: event.attempt });
        }
        events
    }

    /// The target has answered. An answer for what is no longer owed (of another session, or voided) counts for nothing.
    pub(crate) fn settle(&mut self, report: Report, now: Instant) {
        let Report { session, tag, outcome } = report;
        if session != self.id {
            return;
        }
        let Some(Begun { sequence, attempt }) = self.begun.remove(&tag) else { return };
        match outcome {
            Outcome::Delivered => {
                self.delivered_total += 1;
                self.delivered.push(tag);
                tracing::debug!(sequence, attempt, "delivered");
            }
            Outcome::Failed { reason, retry_after } => {
                let reason = self.reason(&reason);
                tracing::warn!(sequence, attempt, reason, "failed");
                let retry_after_ms = retry_after.map(milliseconds);
                self.lines += &ToDaemon::Failed { tag, reason: &reason, retry_after_ms }.line();
            }
            Outcome::Rejected { reason } => {
                let reason = self.reason(&reason);
                tracing::error!(sequence, attempt, reason, "rejected: its order waits for an operator");
                self.lines += &ToDaemon::Rejected { tag, reason: &reason }.line();
            }
            Outcome::Unavailable(unavailable) => self.hold(unavailable, now),
        }
    }

    /// Begins nothing more. Events that were begun may still be answered for a moment, so that what the target took does
    /// not come to it a second time.
    fn hold(&mut self, unavailable: Unavailable, now: Instant) {
        self.pending.clear();
        match &mut self.outage {
            None => self.outage = Some(Outage { unavailable, send_at: now + self.settle }),
            Some(Outage { unavailable: known, .. }) => {
                known.retry_after = known.retry_after.max(unavailable.retry_after);
                if unavailable.blocked && !known.blocked {
                    known.blocked = true;
                    known.reason = unavailable.reason;
                }
            }
        }
    }

    /// When [`Self::outgoing`] has to be asked again although nothing happened.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.outage.as_ref().map(|outage| outage.send_at)
    }

    /// The lines that are due, and the outage that they tell of.
    pub(crate) fn outgoing(&mut self, now: Instant) -> (String, Option<Unavailable>) {
        let mut lines = String::new();
        for tags in self.delivered.chunks(TAGS_MAX) {
            lines += &ToDaemon::Delivered { tags }.line();
        }
        self.delivered.clear();
        lines += &std::mem::take(&mut self.lines);
        let due = |outage: &mut Outage| self.begun.is_empty() || outage.send_at <= now;
        let Some(Outage { unavailable, .. }) = self.outage.take_if(due) else { return (lines, None) };
        self.begun.clear();
        let unavailable = Unavailable { reason: self.reason(&unavailable.reason), ..unavailable };
        let Unavailable { reason, retry_after, blocked } = &unavailable;
        let retry_after_ms = retry_after.map(milliseconds);
        lines += &ToDaemon::Unavailable { reason, retry_after_ms, blocked: *blocked }.line();
        (lines, Some(unavailable))
    }

    fn reason(&self, reason: &str) -> String {
        text::excerpt(reason, self.reason_chars_max)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    // Up, so that a target that asked for time gets all of it.
    u64::try_from(duration.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tag: u64) -> Event {
        Event {
            tag,
            attempt: 1,
            replay: None,
            line: Vec::new(),
            id: String::new(),
            kind: String::new(),
            order_id: String::new(),
            sequence: tag,
            order_version: 1,
            time: String::new(),
        }
    }

    fn session(tags: u64) -> (Session, Instant) {
        let mut session = Session::new(7, Duration::from_secs(2), 100);
        session.take_in((1..=tags).map(event).collect());
        (session, Instant::now())
    }

    const fn report(tag: u64, outcome: Outcome) -> Report {
        Report { session: 7, tag, outcome }
    }

    #[test]
    fn delivered_tags_share_lines_of_a_thousand() {
        let (mut session, now) = session(1_500);
        assert_eq!(session.begin(2_000).len(), 1_500);
        (1..=1_500).for_each(|tag| session.settle(report(tag, Outcome::Delivered), now));
        let (lines, outage) = session.outgoing(now);
        assert_eq!(lines.lines().count(), 2);
        assert!(outage.is_none() && session.is_settled());
    }

    #[test]
    fn an_outage_waits_for_what_was_begun_and_voids_the_rest() {
        let (mut session, now) = session(4);
        assert_eq!(session.begin(3).len(), 3);
        session.settle(report(1, Outcome::unavailable("away")), now);
        session.take_in(vec![event(5)]);
        assert!(!session.has_pending());
        assert_eq!(session.outgoing(now), (String::new(), None));
        session.settle(report(2, Outcome::Delivered), now);
        session.settle(report(3, Outcome::blocked("locked")), now);
        let (lines, outage) = session.outgoing(now);
        assert!(lines.contains("\"tags\":[2]") && lines.contains("unavailable"), "{lines}");
        assert_eq!(outage, Some(Unavailable::blocked("locked")));
        assert!(session.is_settled());
        // The probe of the next back-off is an event like any other.
        session.take_in(vec![event(6)]);
        assert_eq!(session.begin(10).len(), 1);
    }

    #[test]
    fn an_outage_waits_no_longer_than_its_limit_and_late_answers_count_for_nothing() {
        let (mut session, now) = session(2);
        session.begin(2);
        session.settle(report(1, Outcome::unavailable("away")), now);
        let later = now + Duration::from_secs(2);
        assert_eq!(session.wake_at(), Some(later));
        assert!(session.outgoing(later).1.is_some());
        session.settle(report(2, Outcome::Delivered), later);
        assert_eq!(session.outgoing(later), (String::new(), None));
    }

    #[test]
    fn answers_of_another_session_count_for_nothing() {
        let (mut session, now) = session(1);
        session.begin(1);
        session.settle(Report { session: 6, tag: 1, outcome: Outcome::Delivered }, now);
        assert!(session.is_waiting());
    }

    #[test]
    fn a_time_to_wait_is_rounded_up() {
        assert_eq!(milliseconds(Duration::from_micros(1_001)), 2);
        assert_eq!(milliseconds(Duration::from_secs(1)), 1_000);
    }
}
