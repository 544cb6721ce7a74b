//! Makes the stores: commands, checkpoints, deletions, restarts, with a sink that follows and one that lags.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use orderd::config::SinkStart;
use orderd::contracts::{Clock, ParkedLane};
use orderd::repo::{CheckpointBegin, CheckpointSource, DedupEntry, LaneName, MaintenanceOptions, OrderRow};

use super::store::Store;
use crate::clock::{CountedIds, SimClock};
use crate::daemon::Daemon;
use crate::disk::{Content, SimDisk};
use crate::environment::{Environment, Options, SOURCE, SinkSetup};
use crate::model::{Model, Verdict};
use crate::oracle::judge;
use crate::rng::Rng;
use crate::sink::FaultProfile;
use crate::workload::Clients;

/// Follows closely: what it has seen proves the last batch.
const QUICK: usize = 0;
/// Stops taking events early: it needs what lies below the checkpoints.
const SLOW: usize = 1;
const NAMES: [&str; 2] = ["quick", "slow"];

/// How many plans each part of the story adds.
const PLANS: usize = 80;

/// A story that is being told.
struct Builder {
    around: Environment,
    model: Model,
    clients: Clients,
    rng: Rng,
    /// By path: everything that the file has held, oldest first.
    held: BTreeMap<String, Vec<Content>>,
}

/// The two forms: a killed daemon's store, and a stopped one's.
///
/// # Errors
/// The story does not go as it should.
pub fn stores() -> Result<Vec<Store>, String> {
    let mut builder = Builder::new();
    // 1. Both sinks follow, two checkpoints are written, and the journal below is deleted.
    let mut daemon = builder.start()?;
    for sinks in [&[QUICK, SLOW][..], &[QUICK, SLOW]] {
        builder.add(&mut daemon, PLANS, sinks)?;
        builder.checkpoint(&mut daemon)?;
    }
    // 2. One of them lags. A kill, and a start that links.
    builder.add(&mut daemon, PLANS / 2, &[QUICK, SLOW])?;
    builder.add(&mut daemon, PLANS, &[QUICK])?;
    builder.kill(daemon);
    // 3. Two more checkpoints, which the lagging sink's events lie below; and more behind them.
    let mut daemon = builder.start()?;
    for _ in 0..2 {
        builder.checkpoint(&mut daemon)?;
        builder.add(&mut daemon, PLANS / 2, &[QUICK])?;
    }
    builder.kill(daemon);
    let killed = builder.finish("killed")?;
    // 4. Some more, and a clean stop.
    let mut daemon = builder.start()?;
    builder.add(&mut daemon, PLANS / 4, &[QUICK])?;
    daemon.stop()?;
    builder.note();
    Ok(vec![killed, builder.finish("stopped")?])
}

fn options() -> Options {
    const NEVER: Duration = Duration::from_secs(1 << 30);
    // Checkpoints are written when the story says so.
    let maintenance = MaintenanceOptions {
        journal_bytes: 1 << 40,
        plans: 1 << 40,
        age: NEVER,
        retain_bytes: 0,
        journal_bytes_max: 1 << 30,
        stop_journal_bytes: 1 << 40,
    };
    Options {
        segment_bytes: 20 << 10,
        journal_bytes_max: 1 << 30,
        batch_bytes_max: 2000,
        batch_commands_max: 8,
        command_ids_max: 32,
        full_probe: Duration::ZERO,
        batch_events_max: 5,
        cursor_events_max: 7,
        cursor_delay_max: Duration::from_millis(100),
        maintenance,
    }
}

impl Builder {
    fn new() -> Self {
        let sink = |name: &str| SinkSetup {
            name: name.to_owned(),
            start: SinkStart::Beginning,
            consumer: Default::default(),
            fault_profile: FaultProfile::default(),
        };
        let around = Environment {
            disk: SimDisk::new(1),
            clock: SimClock::default(),
            ids: CountedIds::default(),
            options: options(),
            sinks: NAMES.map(sink).into(),
            data_dir: String::new(),
            bug: None,
            run_seed: 1,
        };
        let model = Model::new(SOURCE, around.options.command_ids_max);
        let clients = Clients::new(Rng::new(2), 70);
        Self { around, model, clients, rng: Rng::new(3), held: BTreeMap::new() }
    }

    fn start(&mut self) -> Result<Daemon, String> {
        self.around.run_seed = self.rng.next();
        let daemon = Daemon::start(&self.around).map_err(|error| format!("building: {error:?}"))?;
        // The first start registers the sinks.
        judge(&mut self.model, &daemon, &[])?;
        self.note();
        Ok(daemon)
    }

    /// The process is gone; what it wrote is there.
    fn kill(&mut self, daemon: Daemon) {
        drop(daemon);
        self.around.disk.end_process();
        self.note();
    }

    /// At least `plans` more, and the events of all of them to `sinks`.
    fn add(&mut self, daemon: &mut Daemon, plans: usize, sinks: &[usize]) -> Result<(), String> {
        let target = self.model.plans.len() + plans;
        while self.model.plans.len() < target {
            let requests = self.clients.next(4, &self.model);
            let at = self.around.clock.now();
            let answers = daemon.executor.run(&requests).map_err(|error| format!("building: {error}"))?;
            for (sent, answer) in requests.iter().zip(&answers) {
                if self.model.check_answer(&sent.request, at, answer)? == Verdict::Changed {
                    self.clients.answered(&sent.request);
                }
            }
            self.note();
            self.around.clock.pass(1000);
            for number in sinks {
                daemon.step(*number);
                self.note();
            }
        }
        for number in sinks {
            daemon.drain_one(*number, &self.around.clock)?;
        }
        self.note();
        Ok(())
    }

    fn checkpoint(&mut self, daemon: &mut Daemon) -> Result<(), String> {
        let mut maintenance = daemon.maintenance.take().ok_or("no maintenance")?;
        let mut still = Still(daemon);
        maintenance.checkpoint(&mut still).map_err(|error| format!("building: {error}"))?;
        maintenance.turn(&mut still);
        daemon.maintenance = Some(maintenance);
        self.note();
        Ok(())
    }

    /// Keeps what the files hold now.
    fn note(&mut self) {
        for (path, content) in self.around.disk.tree().contents() {
            let held = self.held.entry(path).or_default();
            if held.last() != Some(&content) {
                held.push(content);
            }
        }
    }

    fn finish(&self, form: &'static str) -> Result<Store, String> {
        Store::new(form, &self.around, self.model.clone(), &self.held)
    }
}

/// The store as maintenance sees it while nothing happens.
struct Still<'a>(&'a Daemon);

impl CheckpointSource for Still<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        let store = self.0.executor.store();
        Ok(CheckpointBegin::of(store))
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        Ok(self.0.executor.store().state().orders.rows(from, count).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        Ok(self.0.executor.store().state().commands.copy(from, count))
    }
    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        Ok(self.0.executor.store().state().delivery.lanes_after(after, count))
    }
}
