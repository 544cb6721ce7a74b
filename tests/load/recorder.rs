//! Writes down what the sink and `dump` show through all lives of a daemon, and has the whole history judged.

use std::path::{Path, PathBuf};

use super::workers::Sighting;
use super::{Clock, Command, Rng, Task, Workers};
use crate::history::{Call, Delivery, Dump, History, Outcome, check, outcome_of, plans_of};
use crate::support::{Client, DEADLINE, Daemon, Store, eventually, orderd};

/// How many violations a failed judgement prints.
const SHOWN_MAX: usize = 20;

pub struct Recorder {
    clock: Clock,
    history: History,
    sink: PathBuf,
    /// How far the sink's file has been written down.
    recorded: String,
    /// The highest LSN that a dump has shown.
    dumped_lsn: u64,
}

/// What a history was made of: a run that saw little proves little.
#[derive(Debug, Default)]
pub struct Summary {
    pub calls: usize,
    pub done: usize,
    pub duplicates: usize,
    pub reads: usize,
    pub refused: usize,
    pub unknown: usize,
    pub plans: usize,
    pub deliveries: usize,
    pub redelivered: usize,
    pub lives: usize,
}

impl Summary {
    /// Both together.
    pub fn plus(&self, other: &Summary) -> Summary {
        Summary {
            calls: self.calls + other.calls,
            done: self.done + other.done,
            duplicates: self.duplicates + other.duplicates,
            reads: self.reads + other.reads,
            refused: self.refused + other.refused,
            unknown: self.unknown + other.unknown,
            plans: self.plans + other.plans,
            deliveries: self.deliveries + other.deliveries,
            redelivered: self.redelivered + other.redelivered,
            lives: self.lives + other.lives,
        }
    }
}

impl Recorder {
    /// A witness of the store's file sink, holding restarts to `redelivered_max` events.
    pub fn new(sink: &Path, redelivered_max: u64) -> Recorder {
        Recorder {
            clock: Clock::default(),
            history: History { redelivered_max, ..History::default() },
            sink: sink.to_owned(),
            recorded: String::new(),
            dumped_lsn: 0,
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Clients that send new commands until told otherwise.
    pub fn crew(&self, clients: u64, socket: &Path, rng: &mut Rng) -> Workers {
        Workers::start(&Task::endless(clients), socket, &self.clock, rng)
    }

    /// The sink was made to fail: a life may deliver an event twice.
    pub fn sink_failed(&mut self) {
        self.history.sink_failed = true;
    }

    pub fn heard(&mut self, sighting: Sighting) {
        self.history.calls.extend(sighting.calls);
        self.history.seen.extend(sighting.seen);
    }

    /// Sends one command on a connection of its own; its outcome is part of the history.
    #[track_caller]
    pub fn call(&mut self, store: &Store, command: Command) -> Outcome {
        let invoked = self.clock.now();
        let answer = Client::connect(store).ask(&command.line(1));
        let outcome = outcome_of(&answer, self.clock.now()).unwrap_or_else(|why| panic!("{why}: {answer}"));
        let (request, command_id) = (command.request, command.command_id);
        let connection = self.clock.connection();
        let call = Call { connection, position: 1, request, command_id, invoked, outcome: outcome.clone() };
        self.history.calls.push(call);
        outcome
    }

    /// The daemon's process is gone: a life is over.
    pub fn died(&mut self) {
        self.read_sink();
        let death = self.clock.now();
        self.history.deaths.push(death);
    }

    /// Writes down what the sink got since the last look: whole lines, behind what was there before.
    pub fn read_sink(&mut self) {
        let bytes = match std::fs::read(&self.sink) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => panic!("the sink's file cannot be read: {error}"),
        };
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            text.starts_with(&self.recorded),
            "the sink's file no longer begins with the {} bytes it had: {} bytes now",
            self.recorded.len(),
            text.len()
        );
        let news = &text[self.recorded.len()..];
        let whole = news.rfind('\n').map_or(0, |end| end + 1);
        let life = self.history.deaths.len();
        for line in news[..whole].lines() {
            self.history.deliveries.push(Delivery { life, text: line.to_owned() });
        }
        self.recorded.push_str(&news[..whole]);
    }

    /// Dumps what no dump has shown yet.
    pub fn dump_news(&mut self, store: &Store) {
        // One plan again: it must still be the same.
        let from = self.dumped_lsn.max(1);
        self.dump(store, &["dump", "--from", &from.to_string()]);
    }

    pub fn dump_all(&mut self, store: &Store) {
        self.dump(store, &["dump"]);
    }

    fn dump(&mut self, store: &Store, args: &[&str]) {
        let at = self.clock.now();
        let output = orderd(store, args).expect(0).stdout;
        let plans = plans_of(&output).unwrap_or_else(|why| panic!("{why}"));
        self.dumped_lsn = self.dumped_lsn.max(plans.last().map_or(0, |plan| plan.lsn));
        let life = self.history.deaths.len();
        self.history.dumps.push(Dump { at, life, plans });
    }

    /// The end of a run: the relay catches up, the daemon stops, the store verifies, the history is judged.
    #[track_caller]
    pub fn conclude(mut self, store: &Store, mut daemon: Daemon) -> Summary {
        wait_relayed(store);
        daemon.stop();
        self.died();
        self.dump_all(store);
        orderd(store, &["verify"]).expect(0);
        self.judge()
    }

    #[track_caller]
    pub fn judge(self) -> Summary {
        let violations = check(&self.history);
        let shown: Vec<String> = violations.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
        assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), shown.join("\n"));
        self.summary()
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary {
            calls: self.history.calls.len(),
            deliveries: self.history.deliveries.len(),
            lives: self.history.deaths.len(),
            ..Summary::default()
        };
        for call in &self.history.calls {
            match &call.outcome {
                Outcome::Done { duplicate, .. } => {
                    summary.done += 1;
                    summary.duplicates += usize::from(*duplicate);
                }
                Outcome::Read { .. } => summary.reads += 1,
                Outcome::Refused { .. } => summary.refused += 1,
                Outcome::Unknown => summary.unknown += 1,
            }
        }
        summary.plans = usize::try_from(self.dumped_lsn).expect("a count that fits");
        summary.redelivered = summary.deliveries.saturating_sub(summary.plans);
        summary
    }
}

/// Waits until every sink has acknowledged the last sequence.
#[track_caller]
pub fn wait_relayed(store: &Store) {
    let mut client = Client::connect(store);
    eventually(DEADLINE, "every sink has acknowledged everything", || {
        let status = client.status();
        let last = &status["outbox"]["last_sequence"];
        let sinks = status["sinks"].as_array().expect("the sinks");
        sinks.iter().all(|sink| sink["acked_sequence"] == *last)
    });
}
