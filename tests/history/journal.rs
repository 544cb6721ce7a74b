//! The dumps joined into one journal: dense, each LSN and sequence with one content, nothing gone from a later dump.

use std::collections::BTreeMap;

use super::parse::Event;
use super::record::{Dump, Plan};
use super::verdict::{Findings, Verdict};

/// Everything that any dump showed.
pub(super) struct Journal<'h> {
    pub plans: BTreeMap<u64, Entry<'h>>,
    /// The events by sequence, each with its text.
    pub events: BTreeMap<u64, &'h str>,
    /// The last LSN of the final dump.
    pub last_lsn: u64,
    pub last_sequence: u64,
}

/// A plan with its events understood, each beside its text; one that cannot be understood is reported and left out.
pub(super) struct Entry<'h> {
    pub plan: &'h Plan,
    pub events: Vec<(Event, &'h str)>,
}

impl<'h> Journal<'h> {
    pub(super) fn read(dumps: &'h [Dump], found: &mut Findings) -> Journal<'h> {
        let mut plans = BTreeMap::new();
        for (number, dump) in dumps.iter().enumerate() {
            check_order(number, dump, found);
            join(&mut plans, number, dump, found);
        }
        let last_lsn = dumps.last().and_then(|dump| dump.plans.last()).map_or(0, |plan| plan.lsn);
        check_dense(&plans, found);
        if let Some((&end, _)) = plans.last_key_value()
            && end > last_lsn
        {
            found.add(Verdict::Lost, format!("an earlier dump reached LSN {end}, the final one ends at {last_lsn}"));
        }
        // What decides about delivery alone says nothing of orders, and has its place among the LSNs all the same.
        plans.retain(|_, plan| plan.order.is_some() || !plan.events.is_empty());
        let mut journal = Journal {
            plans: plans.into_iter().map(|(lsn, plan)| (lsn, entry(plan, found))).collect(),
            events: BTreeMap::new(),
            last_lsn,
            last_sequence: 0,
        };
        journal.number_events(found);
        journal
    }

    /// Holds the events to one dense numbering, each with an id of its own.
    fn number_events(&mut self, found: &mut Findings) {
        let mut ids: BTreeMap<String, u64> = BTreeMap::new();
        let mut expected = 1;
        for (lsn, entry) in &self.plans {
            for (event, text) in &entry.events {
                let sequence = event.number();
                match self.events.get(&sequence) {
                    Some(other) if other == text => {
                        found.add(Verdict::Duplicate, format!("sequence {sequence} stands twice, again in LSN {lsn}"))
                    }
                    Some(_) => found
                        .add(Verdict::Changed, format!("sequence {sequence} has two contents, the other in LSN {lsn}")),
                    None if sequence > expected => found.add(
                        Verdict::Lost,
                        format!("sequences {expected} to {} are missing before LSN {lsn}", sequence - 1),
                    ),
                    None if sequence < expected => found.add(
                        Verdict::Reordered,
                        format!("sequence {sequence} stands behind {} in LSN {lsn}", expected - 1),
                    ),
                    None => {}
                }
                if let Some(first) = ids.insert(event.id.clone(), sequence)
                    && first != sequence
                {
                    found.add(
                        Verdict::Duplicate,
                        format!("sequences {first} and {sequence} share the event id {}", event.id),
                    );
                }
                self.events.entry(sequence).or_insert(text);
                expected = expected.max(sequence + 1);
            }
        }
        self.last_sequence = expected - 1;
    }

    /// The order's plans, oldest first, by order id.
    pub(super) fn by_order(&self) -> BTreeMap<&'h str, Vec<&Entry<'h>>> {
        let mut orders: BTreeMap<&str, Vec<&Entry<'h>>> = BTreeMap::new();
        for entry in self.plans.values() {
            if let Some(order) = &entry.plan.order {
                orders.entry(&order.order_id).or_default().push(entry);
            }
        }
        orders
    }
}

/// One dump by itself: ascending without a gap.
fn check_order(number: usize, dump: &Dump, found: &mut Findings) {
    for pair in dump.plans.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        if after.lsn > before.lsn + 1 {
            found.add(Verdict::Lost, format!("dump {number} jumps from LSN {} to {}", before.lsn, after.lsn));
        } else if after.lsn < before.lsn {
            found.add(Verdict::Reordered, format!("dump {number} goes back from LSN {} to {}", before.lsn, after.lsn));
        } else if after == before {
            found.add(Verdict::Duplicate, format!("dump {number} shows LSN {} twice", after.lsn));
        }
    }
}

fn join<'h>(plans: &mut BTreeMap<u64, &'h Plan>, number: usize, dump: &'h Dump, found: &mut Findings) {
    for plan in &dump.plans {
        let first = plans.entry(plan.lsn).or_insert(plan);
        if *first != plan {
            found.add(Verdict::Changed, format!("LSN {} has two contents, the second in dump {number}", plan.lsn));
        }
    }
}

/// All dumps together: from 1 without a gap.
fn check_dense(plans: &BTreeMap<u64, &Plan>, found: &mut Findings) {
    for (before, after) in plans.keys().zip(plans.keys().skip(1)) {
        if *after > before + 1 {
            found.add(Verdict::Lost, format!("no dump shows the LSNs between {before} and {after}"));
        }
    }
    let first = plans.first_key_value().map_or(1, |(&lsn, _)| lsn);
    if first == 0 {
        found.add(Verdict::Phantom, "LSN 0 is before the first");
    } else if first > 1 {
        found.add(Verdict::Lost, format!("no dump shows the LSNs before {first}"));
    }
}

fn entry<'h>(plan: &'h Plan, found: &mut Findings) -> Entry<'h> {
    let mut events = Vec::with_capacity(plan.events.len());
    for text in &plan.events {
        match Event::read(text) {
            Ok(event) => events.push((event, text.as_str())),
            Err(why) => {
                found.add(Verdict::Changed, format!("LSN {} holds an event that is none: {why}: {text}", plan.lsn))
            }
        }
    }
    Entry { plan, events }
}
