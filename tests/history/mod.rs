//! The history checker: holds what the outside saw against what the journal says in the end.
//!
//! A history is everything that can be seen without looking inside the daemon: commands with their answers, reads,
//! refusals, what `daemon.status` claimed, what the sink recorded over all restarts, what `dump` printed, and when
//! each life of the daemon ended. The checker knows nothing of how the history came about; kills, full disks, failed
//! system calls and power cuts are all judged by the same rules:
//!
//! - I1 what was answered with a result is in every later dump;
//! - I2 a plan is whole: the order's change and its event, both or neither;
//! - I3 LSNs and sequences are dense, and none ever has two contents;
//! - I4 what a sink saw is in the journal, byte for byte;
//! - I5 every durable event reaches the sink, first deliveries in order of sequence;
//! - I6 what a restart delivers again is bounded;
//! - I7 one command id has one answer and one effect;
//! - I8 a command without an answer happened once or not at all;
//! - I9 no read, refusal or status rests on state that is absent later;
//! - I10 no sink has acknowledged more than the outbox holds.
//!
//! It is itself tested: `bad_*.rs` hold histories with one fault each, and the verdict that each must get.
#![allow(dead_code, reason = "each rule serves some tests, none serves all")]

mod answers;
mod attribution;
mod journal;
mod orders;
mod parse;
mod promises;
mod reads;
mod record;
mod sink;
mod verdict;

mod bad_answers;
mod bad_journal;
mod bad_reads;
mod bad_sink;
mod builder;
mod mutate;
mod valid;

pub use parse::{outcome_of, plans_of};
pub use record::{Call, Delivery, Dump, History, Moment, Order, Outcome, Plan, Refusal, Request, Seen};
pub use verdict::Violation;

use attribution::Authors;
use journal::Journal;
use verdict::Findings;

/// Every broken promise in `history`; none when all of them hold.
pub fn check(history: &History) -> Vec<Violation> {
    let mut found = Findings::default();
    let journal = Journal::read(&history.dumps, &mut found);
    orders::check(&journal, &mut found);
    answers::check(history, &journal, &mut found);
    let authors = Authors::find(history, &journal, &mut found);
    promises::check(history, &journal, &mut found);
    reads::check(history, &journal, &authors, &mut found);
    sink::check(history, &journal, &mut found);
    found.into_violations()
}
