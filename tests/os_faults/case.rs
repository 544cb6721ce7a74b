//! One failure in one store: load, the failure, the restart, the judgement.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::expect::{Expect, expect};
use super::strace::{Injection, Repeat, Traced};
use crate::load::{Recorder, Rng, Task, Workers};
use crate::support::{Client, DEADLINE, Daemon, Store, files, poll};

/// Small enough that a few hundred commands rotate, checkpoint, delete and move the cursor.
pub const SMALL: &str = "
[executor]
batch_bytes_max = 16384

[journal]
segment_bytes = 98304
full_probe_ms = 20

[checkpoint]
plans = 100

[relay]
batch_events_max = 20
cursor_events_max = 20
cursor_ms_max = 10
backoff_ms_min = 5
backoff_ms_max = 50
";

pub const REDELIVERED_MAX: u64 = 40;

pub const TASK: Task = Task { clients: 4, bursts_max: 15, idle_us_max: 500 };

/// How long a life goes on at least: maintenance looks around several times a second.
const LIFE_MIN: Duration = Duration::from_millis(300);

/// How soon a failure that ends the daemon must have ended it: a second, and what a busy machine and strace add.
const END_MAX: Duration = Duration::from_secs(3);

/// How long failures without end are looked at.
const STICKY_LOOK: Duration = Duration::from_secs(2);

/// What the traced daemon starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// No store yet.
    New,
    /// A store whose daemon was killed.
    Recover,
}

#[derive(Debug)]
pub struct Case {
    pub injection: Injection,
    pub start: Start,
}

/// How the traced life ended.
struct End {
    code: Option<i32>,
    failures: Vec<String>,
    /// Commands were answered before the failure.
    ready: bool,
    /// The store was read and found sound; what comes after that may change it.
    recovered: bool,
    /// From the failure to the end.
    took: Duration,
}

impl Case {
    /// True when the failure was met.
    pub fn run(&self, rng: &mut Rng) -> bool {
        let store = Store::with("", SMALL);
        let mut witness = Recorder::new(&store.sink(), REDELIVERED_MAX);
        // A sink whose writes fail is given its batch again.
        witness.sink_failed();
        if self.start == Start::Recover {
            let mut daemon = Daemon::start(&store);
            let crew = Workers::start(&TASK, &store.socket(), witness.clock(), rng);
            self.wait(|| crew.is_resting().then_some(()));
            witness.heard(crew.settle());
            daemon.kill9();
            witness.died();
            // A journal that is made full by the failure lets go of what two checkpoints hold.
            witness.dump_news(&store);
        }
        let before = if self.start == Start::Recover { files(&store.data_dir()) } else { BTreeMap::new() };
        let mut traced = Traced::spawn(&store, &self.injection);
        let pin = if self.fills_the_journal() { self.pin(&store, &mut traced) } else { None };
        let crew = Workers::start(&TASK, &store.socket(), witness.clock(), rng);
        let end = self.traced_life(&store, traced, pin, &crew, &mut witness);
        witness.died();
        self.judge_end(&end);
        if self.start == Start::Recover && !end.recovered && end.code == Some(74) && self.is_read() {
            assert_eq!(
                changed(&before, &files(&store.data_dir())),
                Vec::<String>::new(),
                "{self:?} {:?}",
                end.failures
            );
        }
        let daemon = Daemon::start(&store);
        witness.heard(crew.settle());
        witness.conclude(&store, daemon);
        !end.failures.is_empty()
    }

    fn is_for_ever(&self) -> bool {
        self.injection.repeat == Repeat::ForEver
    }

    /// A journal that is made full by the failure lets go of what two checkpoints hold.
    fn fills_the_journal(&self) -> bool {
        self.is_for_ever() || self.injection.syscall == "fallocate"
    }

    /// Keeps the daemon from deleting what no dump has shown yet, as a backup does: for as long as the connection is
    /// open. None if the daemon does not get so far.
    fn pin(&self, store: &Store, traced: &mut Traced) -> Option<Client> {
        let mut pinned = None;
        self.wait(|| {
            pinned = Client::try_connect(&store.socket()).ok();
            (pinned.is_some() || !traced.daemon.is_running()).then_some(())
        });
        let mut client = pinned?;
        client.try_send_raw(r#"{"jsonrpc":"2.0","id":1,"method":"store.pin"}"#.to_owned() + "\n").ok()?;
        client.try_read_line().ok()??;
        Some(client)
    }

    fn is_read(&self) -> bool {
        matches!(self.injection.syscall, "pread64" | "read" | "getdents64")
    }

    /// Runs until the work is done or the daemon has ended; a daemon that goes on is stopped as it should be.
    fn traced_life(
        &self,
        store: &Store,
        mut traced: Traced,
        mut pin: Option<Client>,
        crew: &Workers,
        witness: &mut Recorder,
    ) -> End {
        let start = Instant::now();
        let mut failed_at: Option<Instant> = None;
        let mut ready = false;
        let mut ready_at_failure = false;
        self.wait(|| {
            if failed_at.is_none() && !traced.failures().is_empty() {
                failed_at = Some(Instant::now());
                ready_at_failure = ready;
            }
            let status = || Client::try_connect(&store.socket()).ok()?.try_status();
            let is_full = status().inspect(|_| ready = true).is_some_and(|status| status["state"] == "storage_full");
            if is_full && self.is_for_ever() && pin.is_some() {
                // It stays full: what is there now is all that there will be, and may go once it was seen.
                witness.dump_news(store);
                pin = None;
            }
            let gone = !traced.daemon.is_running();
            let looked = self.is_for_ever() && failed_at.is_some_and(|at| at.elapsed() > STICKY_LOOK);
            let done = ready && crew.is_resting() && start.elapsed() > LIFE_MIN;
            (gone || looked || done).then_some(())
        });
        if traced.daemon.is_running() {
            traced.daemon.sigterm();
        }
        let status = traced.daemon.wait_exit(DEADLINE);
        let failures = traced.failures();
        End {
            code: status.code(),
            recovered: traced.daemon.stderr().contains("recovered the store"),
            ready: if failed_at.is_some() { ready_at_failure } else { ready },
            took: failed_at.map_or(Duration::ZERO, |at| at.elapsed()),
            failures,
        }
    }

    #[track_caller]
    fn wait(&self, look: impl FnMut() -> Option<()>) {
        assert!(poll(DEADLINE, look).is_some(), "{self:?}: nothing moves any more");
    }

    fn judge_end(&self, end: &End) {
        let told = format!("{self:?}: exit {:?} after {:?}, failed: {:#?}", end.code, end.took, end.failures);
        let Some(first) = end.failures.first() else {
            assert_eq!(end.code, Some(0), "nothing failed, {told}");
            return;
        };
        if first.contains(".so") || end.failures.iter().any(|failure| failure.contains(".so")) {
            return;
        }
        // Several threads may each have had a failure; the strictest of them counts.
        let expected: Vec<Expect> =
            end.failures.iter().map(|failure| expect(&self.injection, failure, end.ready)).collect();
        if expected.contains(&Expect::Ends) {
            assert_eq!(end.code, Some(74), "must end, {told}");
            assert!(end.took < END_MAX, "must end at once, {told}");
        } else if expected.iter().all(|one| *one == Expect::GoesOn) && !self.is_for_ever() {
            assert_eq!(end.code, Some(0), "must go on, {told}");
        } else {
            // Before the store is open a failure may also be told as a configuration or permission error.
            let codes: &[i32] = if end.ready { &[0, 74] } else { &[0, 73, 74, 77, 78] };
            assert!(end.code.is_some_and(|code| codes.contains(&code)), "must not crash, {told}");
        }
    }
}

/// The files that are not what they were.
fn changed(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let differs = |name: &&PathBuf| before.get(*name) != after.get(*name);
    names.filter(differs).map(|name| name.display().to_string()).collect()
}
