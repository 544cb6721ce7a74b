//! What must hold of everything that the program was handed, told from the file, the records and its notes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::consumer::{Note, Notes};
use super::{IN_FLIGHT_MAX, Totals};
use crate::support::{HandedOut, Store, events, orderd};

/// Of events that the program has called delivered, this many may come again after a kill or a connection that was closed:
/// what was in flight, what the cursor had not recorded, and parked ones whose decision was not made.
const AGAIN_MAX: u64 = IN_FLIGHT_MAX as u64 + 64;

/// The events, and what was decided about them.
pub struct Truth {
    events: Vec<Value>,
    /// Each order's events by version.
    orders: HashMap<String, Vec<u64>>,
    /// Single events that were passed over.
    pub skipped: BTreeSet<u64>,
    ranges: Vec<(u64, u64)>,
    /// Orders that were parked by hand.
    pub held: BTreeSet<String>,
}

impl Truth {
    /// What a stopped daemon's file and journal say.
    pub fn read(store: &Store) -> Truth {
        let events = events(&store.sink());
        let mut orders: HashMap<String, Vec<u64>> = HashMap::new();
        for (sequence, event) in (1..).zip(&events) {
            assert_eq!(event["sequence"], format!("{sequence:020}"), "the file has every event once, in order");
            orders.entry(event["subject"].as_str().unwrap().to_owned()).or_default().push(sequence);
        }
        let mut truth = Truth { events, orders, skipped: BTreeSet::new(), ranges: Vec::new(), held: BTreeSet::new() };
        for line in orderd(store, &["dump", "--data-dir", "data"]).expect(0).stdout.lines() {
            let plan: Value = serde_json::from_str(line).expect("JSON");
            truth.decided(&plan["delivery"]);
        }
        truth
    }

    fn decided(&mut self, delivery: &Value) {
        match delivery["kind"].as_str() {
            Some("skipped") => match (delivery["sequence"].as_u64(), delivery["from"].as_u64()) {
                (Some(sequence), _) => drop(self.skipped.insert(sequence)),
                (None, Some(from)) => self.ranges.push((from, delivery["to"].as_u64().unwrap())),
                (None, None) => panic!("what was skipped? {delivery}"),
            },
            Some("parked") if delivery["reason"] == "by hand" => {
                self.held.insert(delivery["order_id"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
    }

    pub fn is_skipped(&self, sequence: u64) -> bool {
        self.skipped.contains(&sequence) || self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }

    /// Goes through everything in the order in which it happened.
    pub fn judge(&self, notes: &Notes, totals: &mut Totals) {
        let mut judge =
            Judge { truth: self, delivered: BTreeSet::new(), in_flight: BTreeMap::new(), voided: false, again: 0 };
        let mut ends = 0;
        for note in &notes.noted {
            match note {
                Note::Attached => judge.attached(),
                Note::HandedOut(out) => {
                    totals.replayed += u64::from(out.replay.is_some());
                    judge.handed_out(out);
                }
                Note::Delivered(tag) => judge.delivered(*tag),
                Note::Failed(tag) => {
                    totals.failed += 1;
                    judge.in_flight.remove(tag);
                }
                Note::Rejected(tag) => {
                    totals.rejected += 1;
                    judge.in_flight.remove(tag);
                }
                Note::Unavailable => {
                    totals.unavailable += 1;
                    judge.in_flight.clear();
                    judge.voided = true;
                }
                Note::Vanished => totals.vanished += 1,
                Note::TakenOver => totals.taken_over += 1,
                Note::Closed => totals.closed += 1,
                Note::Killed => {}
            }
            ends += u64::from(matches!(
                note,
                Note::Closed | Note::Killed | Note::Unavailable | Note::TakenOver | Note::Vanished
            ));
        }
        let lost: Vec<u64> = (1..=self.events.len() as u64)
            .filter(|sequence| !judge.delivered.contains(sequence) && !self.is_skipped(*sequence))
            .collect();
        assert!(lost.is_empty(), "LOST: neither delivered nor skipped: {lost:?}");
        assert!(judge.again <= ends * AGAIN_MAX, "{} events came again after {ends} ends", judge.again);
        totals.again += judge.again;
        totals.events += self.events.len() as u64;
    }
}

struct Judge<'a> {
    truth: &'a Truth,
    /// What the program has called delivered.
    delivered: BTreeSet<u64>,
    /// Handed out on this connection and not answered, by tag; replays apart.
    in_flight: BTreeMap<u64, (String, u64)>,
    /// It has called the target unavailable: some of what it gets may be void already.
    voided: bool,
    again: u64,
}

impl Judge<'_> {
    fn attached(&mut self) {
        self.in_flight.clear();
        self.voided = false;
    }

    fn delivered(&mut self, tag: u64) {
        // A replay's event was delivered before.
        if let Some((_, sequence)) = self.in_flight.remove(&tag) {
            self.delivered.insert(sequence);
        }
    }

    fn handed_out(&mut self, out: &HandedOut) {
        let HandedOut { sequence, order_id, .. } = out;
        let at = usize::try_from(*sequence - 1).unwrap();
        assert_eq!(self.truth.events.get(at), Some(&out.event), "event {sequence} is as the file has it");
        if out.replay.is_some() {
            return;
        }
        let others = self.in_flight.values().filter(|(_, other)| other != sequence && !self.truth.is_skipped(*other));
        let of_order = others.clone().find(|(other, _)| other == order_id);
        assert!(of_order.is_none(), "event {sequence} goes out beside {of_order:?} of its order");
        assert!(self.voided || others.count() < IN_FLIGHT_MAX, "event {sequence}: too many are unanswered");
        let earlier = self.truth.orders[order_id].iter().take_while(|earlier| *earlier < sequence);
        for earlier in earlier {
            let has_ended = self.delivered.contains(earlier) || self.truth.is_skipped(*earlier);
            assert!(has_ended, "OVERTAKEN: event {sequence} goes out before {earlier} of its order");
        }
        self.again += u64::from(self.delivered.contains(sequence));
        self.in_flight.insert(out.tag, (order_id.clone(), *sequence));
    }
}
