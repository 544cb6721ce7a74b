//! Elections: which sinks this daemon relays, and what it shows of those that others do.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::candidate::not_the_relay;
use crate::contracts::{Clock, DecisionNews, Sequence, SinkState, SinkStatus};
use crate::postgres::{DatabaseError, Keeper, Leases, LookedAt, PostgresProgress, SinkElection};
use crate::relay::Seat;

/// A sink at most so often.
const TURN_MAX: Duration = Duration::from_secs(1);

/// A sink of the configuration.
pub(super) struct Post {
    pub(super) name: Arc<str>,
    pub(super) seat: Seat,
    /// Where elections that were won go; `None` if this daemon does not stand for the sink.
    pub(super) elected: Option<Sender<PostgresProgress>>,
    /// How often the relay had been asked to try again when this was last looked at.
    pub(super) retries: Option<i64>,
}

/// Stands for sinks, prolongs leases and looks at others' sinks.
pub(super) struct Elections {
    pub(super) posts: Vec<Post>,
    pub(super) election: SinkElection,
    pub(super) keeper: Keeper,
    pub(super) leases: Arc<Leases>,
    pub(super) daemon: String,
    pub(super) clock: Arc<dyn Clock>,
}

impl Elections {
    /// Goes on until `stop` says so.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        let turn = (self.election.lease() / 4).min(TURN_MAX);
        loop {
            for at in 0..self.posts.len() {
                self.look_after(at);
            }
            self.keeper.look_after(self.clock.monotonic());
            if stop.recv_timeout(turn) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn look_after(&mut self, at: usize) {
        let Some(post) = self.posts.get(at) else { return };
        let looked = match self.leases.held(&post.name) {
            Some(held) => {
                let shown = serde_json::to_string(&post.seat.monitor.read()).unwrap_or_default();
                let renewed = self.election.renew(&post.name, held, &shown);
                self.after_renewal(at, renewed)
            }
            None => self.stand_or_look(at),
        };
        if let Err(error) = looked {
            tracing::debug!(%error, "the database does not tell who relays which sink");
        }
    }

    /// Either way the worker looks: whether it is still the relay, and whether there are events that it could not read.
    fn after_renewal(&mut self, at: usize, renewed: Result<Option<i64>, DatabaseError>) -> Result<(), DatabaseError> {
        let Some(post) = self.posts.get_mut(at) else { return Ok(()) };
        if let Ok(Some(retries)) = renewed {
            post.hear_retries(retries);
        }
        let held = self.leases.held(&post.name);
        let is_late = held.is_none_or(|held| self.clock.monotonic() >= held.until);
        if let Some(held) = held.filter(|_| is_late) {
            self.leases.lost(&post.name, held.epoch);
        }
        if is_late || matches!(renewed, Ok(None)) {
            post.seat.control.wake();
        }
        post.seat.control.durable();
        renewed.map(drop)
    }

    fn stand_or_look(&mut self, at: usize) -> Result<(), DatabaseError> {
        let Some(post) = self.posts.get_mut(at) else { return Ok(()) };
        let Some(looked) = self.election.look(&post.name)? else { return Ok(()) };
        post.show(&looked);
        post.retries = Some(looked.retries);
        let is_free = looked.relay.is_none() || looked.relay.as_deref() == Some(self.daemon.as_str());
        let Some(elected) = post.elected.as_ref().filter(|elected| is_free && elected.is_empty()) else {
            return Ok(());
        };
        if let Some(progress) = self.election.claim(&post.name)? {
            // There is room: nobody else sends.
            elected.try_send(progress).ok();
        }
        Ok(())
    }
}

impl Post {
    /// Another daemon was asked to have the relay try again: the worker here hears it.
    fn hear_retries(&mut self, retries: i64) {
        if self.retries.is_some_and(|before| before < retries) {
            self.seat.inbox.put([DecisionNews::Retry]);
        }
        self.retries = Some(retries);
    }

    /// Shows what the sink's relay, or the last one, has shown of it.
    fn show(&self, looked: &LookedAt) {
        let LookedAt { relay, acked_sequence, shown, .. } = looked;
        let shown: Option<SinkStatus> = shown.as_deref().and_then(|shown| serde_json::from_str(shown).ok());
        self.seat.view.set_acknowledged(*acked_sequence);
        self.seat.monitor.update(|status| {
            let (name, sink_type) = (status.name.clone(), status.sink_type);
            *status = SinkStatus::new(name, sink_type, Sequence::ZERO);
            if let Some(shown) = shown {
                *status = SinkStatus { name: status.name.clone(), sink_type, ..shown };
            }
            status.acked_sequence = *acked_sequence;
            if relay.is_none() {
                (status.state, status.attached, status.in_flight) = (SinkState::Waiting, None, 0);
            }
        });
        self.seat.attaches.set_elsewhere(Some(not_the_relay(&self.name, relay.as_deref())));
    }
}
