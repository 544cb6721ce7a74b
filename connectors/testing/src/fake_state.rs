//! The scripted daemon's view of one sink: what is handed out, and what was answered.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::told::Told;

#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) line: String,
    pub(crate) sequence: u64,
    pub(crate) replay: Option<String>,
    order: String,
    attempts: u64,
    state: ItemState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemState {
    Waiting { until: Option<Instant> },
    InFlight,
    Delivered,
    Parked,
}

/// One hand-out.
#[derive(Debug)]
pub(crate) struct HandOut {
    pub(crate) tag: u64,
    pub(crate) attempt: u64,
    pub(crate) line: String,
    pub(crate) replay: Option<String>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) items: Vec<Item>,
    pub(crate) told: Vec<Told>,
    pub(crate) violations: Vec<String>,
    pub(crate) attached: bool,
    pub(crate) attach_count: u64,
    pub(crate) detach_count: u64,
    pub(crate) backoff: Duration,
    pub(crate) in_flight_max: usize,
    /// The smaller of ours and the program's.
    window: usize,
    /// Everything before is settled.
    first_open: usize,
    next_tag: u64,
    in_flight: HashMap<u64, usize>,
    voided: HashSet<u64>,
    /// After `unavailable`: one event at a time, not before this.
    probe_at: Option<Instant>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            items: Vec::new(),
            told: Vec::new(),
            violations: Vec::new(),
            attached: false,
            attach_count: 0,
            detach_count: 0,
            backoff: Duration::from_millis(50),
            in_flight_max: 512,
            window: 512,
            first_open: 0,
            next_tag: 1,
            in_flight: HashMap::new(),
            voided: HashSet::new(),
            probe_at: None,
        }
    }

    pub(crate) fn publish(&mut self, line: String, replay: Option<String>) {
        let event: serde_json::Value = serde_json::from_str(&line).expect("an event is JSON");
        let sequence = event["sequence"].as_str().and_then(|text| text.parse().ok()).expect("an event has a sequence");
        let order = event["partitionkey"].as_str().expect("an event has a partitionkey").to_owned();
        let state = ItemState::Waiting { until: None };
        self.items.push(Item { line, sequence, replay, order, attempts: 0, state });
    }

    pub(crate) fn attach(&mut self, in_flight_max: usize) -> usize {
        self.window = in_flight_max.min(self.in_flight_max);
        self.attached = true;
        self.attach_count += 1;
        self.next_tag = 1;
        self.window
    }

    pub(crate) fn detach(&mut self) {
        if self.attached {
            self.detach_count += 1;
        }
        self.attached = false;
        self.give_up_in_flight();
        self.voided.clear();
    }

    fn give_up_in_flight(&mut self) {
        for (tag, index) in self.in_flight.drain() {
            self.items[index].state = ItemState::Waiting { until: None };
            self.voided.insert(tag);
        }
    }

    /// What can be handed out now, at most one event per order, and when to ask again at the latest.
    pub(crate) fn hand_out(&mut self, now: Instant) -> (Vec<HandOut>, Option<Instant>) {
        if !self.attached {
            return (Vec::new(), None);
        }
        let window = if self.probe_at.is_some() { 1 } else { self.window };
        if let Some(at) = self.probe_at.filter(|at| *at > now) {
            return (Vec::new(), Some(at));
        }
        while self.items.get(self.first_open).is_some_and(|item| item.state == ItemState::Delivered) {
            self.first_open += 1;
        }
        let (mut out, mut again, mut closed_lanes) = (Vec::new(), None::<Instant>, HashSet::new());
        for index in self.first_open..self.items.len() {
            if self.in_flight.len() >= window {
                break;
            }
            let item = &mut self.items[index];
            let lane = (item.replay.clone(), item.order.clone());
            let open = match item.state {
                ItemState::Delivered => continue,
                ItemState::InFlight | ItemState::Parked => false,
                ItemState::Waiting { until: Some(until) } if until > now => {
                    again = Some(again.map_or(until, |at| at.min(until)));
                    false
                }
                ItemState::Waiting { .. } => !closed_lanes.contains(&lane),
            };
            closed_lanes.insert(lane);
            if !open {
                continue;
            }
            item.state = ItemState::InFlight;
            item.attempts += 1;
            let tag = self.next_tag;
            self.next_tag += 1;
            self.in_flight.insert(tag, index);
            out.push(HandOut { tag, attempt: item.attempts, line: item.line.clone(), replay: item.replay.clone() });
        }
        (out, again)
    }

    fn take(&mut self, tag: u64) -> Result<Option<usize>, String> {
        if let Some(index) = self.in_flight.remove(&tag) {
            return Ok(Some(index));
        }
        if self.voided.remove(&tag) {
            return Ok(None);
        }
        Err(format!("tag {tag} was never sent or was answered before"))
    }

    pub(crate) fn delivered(&mut self, tags: &[u64]) -> Result<(), String> {
        if tags.is_empty() || tags.len() > 1_000 {
            return Err(format!("`delivered` with {} tags", tags.len()));
        }
        for tag in tags {
            if let Some(index) = self.take(*tag)? {
                self.items[index].state = ItemState::Delivered;
                self.told.push(Told::Delivered(self.items[index].sequence));
                self.probe_at = None;
            }
        }
        Ok(())
    }

    pub(crate) fn failed(&mut self, tag: u64, reason: String, retry_after_ms: Option<u64>) -> Result<(), String> {
        if let Some(index) = self.take(tag)? {
            let wait = retry_after_ms.map_or(self.backoff, Duration::from_millis);
            self.items[index].state = ItemState::Waiting { until: Some(Instant::now() + wait) };
            self.told.push(Told::Failed { sequence: self.items[index].sequence, reason, retry_after_ms });
        }
        Ok(())
    }

    pub(crate) fn rejected(&mut self, tag: u64, reason: String) -> Result<(), String> {
        if let Some(index) = self.take(tag)? {
            self.items[index].state = ItemState::Parked;
            self.told.push(Told::Rejected { sequence: self.items[index].sequence, reason });
        }
        Ok(())
    }

    pub(crate) fn unavailable(&mut self, reason: String, retry_after_ms: Option<u64>, blocked: bool) {
        self.give_up_in_flight();
        self.probe_at = Some(Instant::now() + retry_after_ms.map_or(self.backoff, Duration::from_millis));
        self.told.push(Told::Unavailable { reason, retry_after_ms, blocked });
    }
}
