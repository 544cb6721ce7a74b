//! Everything around a run of the daemon: its disk, clock, sinks and configuration.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use orderd::app::{CoreOptions, SinkOptions};
use orderd::config::SinkStart;
use orderd::contracts::{SinkType, Storage};
use orderd::executor::ExecutorOptions;
use orderd::journal::JournalOptions;
use orderd::relay::WorkerSettings;
use orderd::relay::scheduler::Limits;
use orderd::repo::{MaintenanceOptions, StoreOptions};
use orderd::storage::Below;

use crate::bugs::{Bug, BuggyDisk};
use crate::clock::{CountedIds, SimClock};
use crate::disk::{SimDisk, Tree};
use crate::rng::Rng;
use crate::sink::{FaultProfile, SharedConsumer, SimSink, look};

/// The configuration of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// See the key `journal.segment_bytes`.
    pub segment_bytes: u64,
    /// See the key `journal.bytes_max`.
    pub journal_bytes_max: u64,
    /// See the key `executor.batch_bytes_max`.
    pub batch_bytes_max: usize,
    /// See the key `executor.batch_commands_max`.
    pub batch_commands_max: usize,
    /// See the key `executor.command_ids_max`.
    pub command_ids_max: usize,
    /// See the key `journal.full_probe_ms`.
    pub full_probe: Duration,
    /// See the keys of `[relay]`.
    pub batch_events_max: usize,
    /// See the keys of `[relay]`.
    pub cursor_events_max: u64,
    /// See the keys of `[relay]`.
    pub cursor_delay_max: Duration,
    /// When checkpoints are written, and what is kept.
    pub maintenance: MaintenanceOptions,
}

/// The event source of all runs.
pub const SOURCE: &str = "/orderd";
/// The one store.
pub const STORE_ID: [u8; 16] = [0x5A; 16];

/// A sink, over all runs.
#[derive(Clone)]
pub struct SinkSetup {
    /// Its name.
    pub name: String,
    /// Where it begins when it is first seen.
    pub start: SinkStart,
    /// Who gets its events.
    pub consumer: SharedConsumer,
    /// What it does.
    pub fault_profile: FaultProfile,
}

/// Everything around a run.
#[derive(Clone)]
pub struct Environment {
    /// The disk.
    pub disk: SimDisk,
    /// The clock.
    pub clock: SimClock,
    /// The ids.
    pub ids: CountedIds,
    /// The configuration.
    pub options: Options,
    /// The sinks.
    pub sinks: Vec<SinkSetup>,
    /// Where the data directory is on the disk: at its root, if this is empty.
    pub data_dir: String,
    /// A deliberate bug between the daemon and its disk.
    pub bug: Option<Bug>,
    /// Other than in every other run.
    pub run_seed: u64,
}

impl Environment {
    /// The same over a disk that holds `tree`, with copies of the consumers: what happens there is not seen here.
    #[must_use]
    pub fn fork(&self, tree: Tree) -> Self {
        let mut around = self.clone();
        around.disk = SimDisk::with_tree(tree, 1);
        around.clock = SimClock::default();
        for sink in &mut around.sinks {
            sink.fault_profile.sees_power_cut = 0;
            let copy = look(&sink.consumer).copy();
            sink.consumer = Arc::new(Mutex::new(copy));
        }
        around
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        let disk: Arc<dyn Storage> = match self.bug {
            None => Arc::new(self.disk.clone()),
            Some(bug) => Arc::new(BuggyDisk::new(self.disk.clone(), bug)),
        };
        if self.data_dir.is_empty() { disk } else { Arc::new(Below::new(disk, &self.data_dir)) }
    }

    /// What the store is opened with.
    #[must_use]
    pub fn store_options(&self) -> StoreOptions {
        let Options { segment_bytes, journal_bytes_max, batch_bytes_max, full_probe, command_ids_max, .. } =
            self.options;
        let journal = JournalOptions {
            segment_bytes,
            bytes_max: journal_bytes_max,
            batch_bytes_max,
            plan_bytes_max: 8 << 10,
            decisions_bytes: 8 << 10,
            full_probe,
            epoch_seed: self.run_seed,
        };
        StoreOptions { journal, command_ids_max, event_source: SOURCE.into(), redone_plans: Arc::default() }
    }

    /// What the daemon is opened with.
    #[must_use]
    pub fn core_options(&self) -> CoreOptions {
        let executor = ExecutorOptions {
            batch_commands_max: self.options.batch_commands_max,
            batch_bytes_max: self.options.batch_bytes_max,
            orders_max: u64::MAX,
            conflict_retries_max: 0,
        };
        let sink = |(number, sink): (usize, &SinkSetup)| SinkOptions {
            worker: self.worker_settings(&sink.name, number as u64),
            start: sink.start,
            limits: limits(self.run_seed ^ number as u64),
            consumer_uids: Vec::new(),
            daemon: None,
            delivered_tags_max: 1000,
            replays_max: 100,
        };
        CoreOptions {
            store: self.store_options(),
            executor,
            maintenance: self.options.maintenance,
            line_bytes_max: 32 << 10,
            sinks: self.sinks.iter().enumerate().map(sink).collect(),
        }
    }

    pub(crate) fn worker_settings(&self, name: &str, number: u64) -> WorkerSettings {
        WorkerSettings {
            name: name.to_owned(),
            sink_type: SinkType::File,
            batch_events_max: self.options.batch_events_max,
            batch_bytes_max: 1 << 20,
            cursor_events_max: self.options.cursor_events_max,
            cursor_delay_max: self.options.cursor_delay_max,
            failures_listed_max: 100,
            backoff_min: Duration::from_millis(1),
            backoff_max: Duration::from_millis(50),
            rate_events_per_s_max: None,
            backoff_seed: self.run_seed ^ number,
            drain_max: Duration::from_secs(1),
        }
    }

    pub(crate) fn sink(&self, setup: &SinkSetup, number: u64) -> Box<SimSink> {
        Box::new(SimSink {
            consumer: Arc::clone(&setup.consumer),
            fault_profile: setup.fault_profile,
            rng: Rng::new(self.run_seed).fork(number),
            disk: self.disk.clone(),
            clock: self.clock.clone(),
        })
    }
}

/// As the configuration has them by default.
fn limits(seed: u64) -> Limits {
    Limits {
        in_flight_max: 512,
        in_flight_bytes_max: 8 << 20,
        window_events_max: 16_384,
        answer_max: Duration::from_secs(30),
        attempts_max: 8,
        parked_events_max: 100_000,
        parked_bytes_max: 64 << 20,
        rejected_in_a_row_max: 100,
        rate_events_per_s_max: None,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(50),
        delivered_delay_max: Duration::from_millis(50),
        delivered_events_max: 500,
        slow_start_events: 16,
        detaches_in_a_row_max: 3,
        retry_after_max: Duration::from_secs(3600),
        seed,
    }
}
