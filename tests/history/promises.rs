//! Results and time: what was answered is in every later dump, and what came later has a higher LSN.

use std::collections::BTreeMap;

use super::journal::Journal;
use super::record::{Call, History, Moment, Outcome};
use super::verdict::{Findings, Verdict};

pub(super) fn check(history: &History, journal: &Journal<'_>, found: &mut Findings) {
    let answered = Answered::collect(&history.calls);
    check_dumps(history, &answered, found);
    check_time(&history.calls, &answered, found);
    check_connections(&history.calls, found);
    check_status(history, journal, &answered, found);
}

/// The highest LSN that had been answered at any moment.
struct Answered {
    by_moment: BTreeMap<Moment, u64>,
}

impl Answered {
    fn collect(calls: &[Call]) -> Answered {
        let mut by_moment = BTreeMap::new();
        for call in calls {
            if let Outcome::Done { at, lsn, .. } = call.outcome {
                by_moment.insert(at, lsn);
            }
        }
        let mut highest = 0;
        for lsn in by_moment.values_mut() {
            highest = highest.max(*lsn);
            *lsn = highest;
        }
        Answered { by_moment }
    }

    fn before(&self, moment: Moment) -> u64 {
        self.by_moment.range(..moment).next_back().map_or(0, |(_, lsn)| *lsn)
    }
}

/// Every dump holds what had been answered when it was started.
fn check_dumps(history: &History, answered: &Answered, found: &mut Findings) {
    for (number, dump) in history.dumps.iter().enumerate() {
        let end = dump.plans.last().map_or(0, |plan| plan.lsn);
        let told = answered.before(dump.at);
        if told > end {
            found.add(Verdict::Lost, format!("LSN {told} had been answered before dump {number}, which ends at {end}"));
        }
    }
}

/// A command sent after an answer comes behind it.
fn check_time(calls: &[Call], answered: &Answered, found: &mut Findings) {
    for call in calls {
        if let Outcome::Done { lsn, duplicate: false, .. } = call.outcome {
            let told = answered.before(call.invoked);
            if lsn <= told {
                found.add(
                    Verdict::Reordered,
                    format!("{:?} got LSN {lsn}, sent after the answer with {told}", call.request),
                );
            }
        }
    }
}

/// The commands of one connection are executed in the order of their lines.
fn check_connections(calls: &[Call], found: &mut Findings) {
    let mut lines: Vec<(u64, u64, u64)> = Vec::new();
    for call in calls {
        if let Outcome::Done { lsn, duplicate: false, .. } = call.outcome {
            lines.push((call.connection, call.position, lsn));
        }
    }
    lines.sort_unstable();
    for pair in lines.windows(2) {
        let ((connection, _, before), (same, position, after)) = (pair[0], pair[1]);
        if connection == same && after <= before {
            found.add(
                Verdict::Reordered,
                format!("line {position} of connection {connection} got LSN {after}, a line before it {before}"),
            );
        }
    }
}

fn check_status(history: &History, journal: &Journal<'_>, answered: &Answered, found: &mut Findings) {
    for seen in &history.seen {
        if seen.durable_lsn > journal.last_lsn {
            found.add(
                Verdict::Lost,
                format!("LSN {} was called durable, the journal ends at {}", seen.durable_lsn, journal.last_lsn),
            );
        }
        if seen.last_sequence > journal.last_sequence {
            found.add(
                Verdict::Lost,
                format!("sequence {} was shown, the journal ends at {}", seen.last_sequence, journal.last_sequence),
            );
        }
        if seen.acked_sequence > seen.last_sequence {
            found.add(
                Verdict::Phantom,
                format!("a sink acknowledged {} of {}", seen.acked_sequence, seen.last_sequence),
            );
        }
        let told = answered.before(seen.invoked);
        if seen.durable_lsn < told {
            found.add(
                Verdict::Stale,
                format!("LSN {} was called durable after {told} had been answered", seen.durable_lsn),
            );
        }
    }
}
