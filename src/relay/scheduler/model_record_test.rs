//! What the model keeps of decisions, in the simplest way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

/// What is durably decided, kept in the simplest way.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    pub(super) lanes: BTreeMap<OrderId, (LaneState, VecDeque<Sequence>)>,
    pub(super) skipped: BTreeSet<Sequence>,
    pub(super) ranges: Vec<(Sequence, Sequence)>,
    pub(super) paused: bool,
    pub(super) halted: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Decided {
    Wish(Wish),
    Requeue(OrderId),
    Skip(OrderId, Sequence),
    Park(OrderId, Vec<Sequence>),
    Range(Sequence, Sequence),
    Pause,
    Resume,
}

impl Record {
    pub(super) fn is_skipped(&self, sequence: Sequence) -> bool {
        self.skipped.contains(&sequence) || self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }

    pub(super) fn is_parked(&self, order_id: OrderId, sequence: Sequence) -> bool {
        self.lanes.get(&order_id).is_some_and(|(_, events)| events.contains(&sequence))
    }

    pub(super) fn check_counts(&self, standing: &Standing, seed: u64) {
        let counted: usize = self.lanes.values().map(|(_, events)| events.len()).sum();
        assert_eq!(standing.parked_events, counted as u64, "seed {seed}");
        for state in [LaneState::Retrying, LaneState::Rejected, LaneState::Held, LaneState::Requeued] {
            let known = self.lanes.values().filter(|(known, _)| *known == state).count() as u64;
            assert_eq!(standing.parked_lanes.of(state), known, "seed {seed}: {state:?}");
        }
    }

    pub(super) fn apply(&mut self, decided: &Decided) {
        match decided {
            Decided::Wish(Wish::Park(wish)) => self.park(wish.order_id, wish.state, &wish.events),
            Decided::Park(order_id, events) => self.park(*order_id, LaneState::Held, events),
            Decided::Wish(Wish::Delivered(order_id, sequence)) => self.remove(*order_id, *sequence),
            Decided::Wish(Wish::Halt(_)) => self.halted = true,
            Decided::Requeue(order_id) => {
                if let Some((state, _)) = self.lanes.get_mut(order_id) {
                    *state = LaneState::Requeued;
                }
            }
            Decided::Skip(order_id, sequence) => {
                if self.is_parked(*order_id, *sequence) {
                    self.skipped.insert(*sequence);
                    self.remove(*order_id, *sequence);
                    if let Some((state, _)) = self.lanes.get_mut(order_id)
                        && *state != LaneState::Held
                    {
                        *state = LaneState::Requeued;
                    }
                }
            }
            Decided::Range(from, to) => self.ranges.push((*from, *to)),
            Decided::Pause => self.paused = true,
            Decided::Resume => (self.paused, self.halted) = (false, false),
        }
    }

    pub(super) fn park(&mut self, order_id: OrderId, state: LaneState, events: &[Sequence]) {
        if events.is_empty() && !self.lanes.contains_key(&order_id) {
            return;
        }
        let lane = self.lanes.entry(order_id).or_insert((state, VecDeque::new()));
        lane.0 = state.onto(Some(lane.0));
        for sequence in events {
            if lane.1.back().is_none_or(|last| last < sequence) {
                lane.1.push_back(*sequence);
            }
        }
    }

    pub(super) fn remove(&mut self, order_id: OrderId, sequence: Sequence) {
        let Some((_, events)) = self.lanes.get_mut(&order_id) else { return };
        events.retain(|event| *event != sequence);
        if events.is_empty() {
            self.lanes.remove(&order_id);
        }
    }
}
