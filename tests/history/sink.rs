//! What the sink recorded against the journal: everything, in order, unchanged, and not too often.

use std::collections::BTreeMap;

use super::journal::Journal;
use super::parse::Event;
use super::record::History;
use super::verdict::{Findings, Verdict};

pub(super) fn check(history: &History, journal: &Journal<'_>, found: &mut Findings) {
    let mut arrivals = Arrivals::new(history);
    for delivery in &history.deliveries {
        let event = match Event::read(&delivery.text) {
            Ok(event) => event,
            Err(why) => {
                found.add(Verdict::Changed, format!("the sink got a line that is no event: {why}: {}", delivery.text));
                continue;
            }
        };
        let sequence = event.number();
        match journal.events.get(&sequence) {
            None => found.add(Verdict::Phantom, format!("the sink got sequence {sequence}, which no journal holds")),
            Some(text) if *text != delivery.text => {
                found.add(Verdict::Changed, format!("the sink got {}, the journal holds {text}", delivery.text))
            }
            Some(_) => arrivals.arrive(sequence, delivery.life, found),
        }
    }
    arrivals.check_dumps(history, journal, found);
    let missing: Vec<&u64> = journal.events.keys().filter(|sequence| !arrivals.first.contains_key(sequence)).collect();
    if let Some(first) = missing.first() {
        found.add(Verdict::Lost, format!("{} durable events never reached the sink, the first {first}", missing.len()));
    }
}

/// What has arrived so far.
struct Arrivals {
    /// The life in which each sequence arrived first.
    first: BTreeMap<u64, usize>,
    highest: u64,
    /// The last arrival: its life and sequence.
    last: Option<(usize, u64)>,
    again_in_life: u64,
    redelivered_max: u64,
    sink_failed: bool,
}

impl Arrivals {
    fn new(history: &History) -> Arrivals {
        Arrivals {
            first: BTreeMap::new(),
            highest: 0,
            last: None,
            again_in_life: 0,
            redelivered_max: history.redelivered_max,
            sink_failed: history.sink_failed,
        }
    }

    fn arrive(&mut self, sequence: u64, life: usize, found: &mut Findings) {
        let same_life = self.last.is_some_and(|(last, _)| last == life);
        if !same_life {
            self.again_in_life = 0;
        }
        match self.first.get(&sequence) {
            None => self.check_first(sequence, found),
            Some(&before) => self.check_again(sequence, life, before, found),
        }
        // A life starts anywhere behind its cursor, then goes on without a step back or a jump.
        if same_life
            && !self.sink_failed
            && let Some((_, last)) = self.last
            && sequence != last + 1
            && sequence <= self.highest
            && self.first.get(&sequence) != Some(&life)
        {
            found.add(Verdict::Reordered, format!("sequence {sequence} was delivered again behind {last}"));
        }
        self.first.entry(sequence).or_insert(life);
        self.highest = self.highest.max(sequence);
        self.last = Some((life, sequence));
    }

    /// A jump is judged when what it left out arrives behind it, or never does.
    fn check_first(&self, sequence: u64, found: &mut Findings) {
        if sequence < self.highest {
            found.add(Verdict::Reordered, format!("sequence {sequence} arrived first behind {}", self.highest));
        }
    }

    fn check_again(&mut self, sequence: u64, life: usize, before: usize, found: &mut Findings) {
        if life == before && !self.sink_failed {
            found.add(
                Verdict::Duplicate,
                format!("sequence {sequence} was delivered twice in life {life} without need"),
            );
        }
        self.again_in_life += 1;
        if self.again_in_life == self.redelivered_max + 1 {
            found.add(
                Verdict::Duplicate,
                format!("life {life} delivered more than {} events again", self.redelivered_max),
            );
        }
    }

    /// After each recovery the journal holds what the sink had been given before.
    fn check_dumps(&self, history: &History, journal: &Journal<'_>, found: &mut Findings) {
        let mut ends: BTreeMap<u64, u64> = BTreeMap::new();
        let mut end = 0;
        for (lsn, entry) in &journal.plans {
            let last = entry.events.iter().map(|(event, _)| event.number()).max();
            end = end.max(last.unwrap_or(0));
            ends.insert(*lsn, end);
        }
        for (number, dump) in history.dumps.iter().enumerate() {
            // Its last plan may be one that changes no order.
            let last_lsn = dump.plans.last().map_or(0, |plan| plan.lsn);
            let end = ends.range(..=last_lsn).next_back().map_or(0, |(_, end)| *end);
            let given = self.first.iter().filter(|(_, life)| **life < dump.life);
            let given = given.map(|(sequence, _)| *sequence).max().unwrap_or(0);
            if given > end {
                found.add(
                    Verdict::Lost,
                    format!("the sink had been given sequence {given} before dump {number}, which ends at {end}"),
                );
            }
        }
    }
}
