//! What a script can do: the daemon, those who use it, and the disk under it.

use std::io;
use std::sync::Arc;

use orderd::config::SinkStart;
use orderd::contracts::{Clock, ConnectionId, Envelope, ParkedLane, Request, Ticket};
use orderd::relay::Step;
use orderd::repo::{CheckpointBegin, CheckpointSource, DedupEntry, LaneName, Maintenance, OrderRow};

use super::crash_subsets::{Chosen, choices, first_parts};
use super::expectations::{Expectations, Moment, SharedLedger, Standing, open};
use super::size::Size;
use crate::bugs::Bug;
use crate::clock::{CountedIds, SimClock};
use crate::daemon::Daemon;
use crate::disk::{Call, Part, Recorded, SimDisk, Tree, crash, unsynced};
use crate::environment::{Environment, Options, SOURCE, SinkSetup};
use crate::model::{Model, Verdict};
use crate::oracle::{Unanswered, judge, judge_cursors, judge_sinks, judge_stop};
use crate::rng::Rng;
use crate::sink::FaultProfile;
use crate::workload::Clients;

/// This many commands at once are orders alone.
const ORDERS_ALONE: u64 = 5;

/// One script on its way.
pub struct ScriptRunner {
    /// What makes one variation of a script differ from the others.
    pub shape: Rng,
    pub(super) around: Environment,
    pub(super) daemon: Option<Daemon>,
    clients: Clients,
    pub(super) model: Model,
    pub(super) ledger: SharedLedger,
    runs: u64,
}

/// What came of a script.
pub struct Record {
    /// The disk before each call that changed it.
    pub points: Vec<Recorded>,
    /// What was certain; points name one of these.
    pub moments: Vec<Arc<Moment>>,
    /// The configuration.
    pub options: Options,
    /// A deliberate bug between the daemon and its disk.
    pub bug: Option<Bug>,
}

impl ScriptRunner {
    /// An empty disk.
    pub fn new(mut shape: Rng, options: Options, bug: Option<Bug>) -> Self {
        let model = Model::new(SOURCE, options.command_ids_max);
        let clients = Clients::new(shape.fork(1), 60);
        let ledger = Expectations::shared(Standing::new(model.clone()));
        let around = Environment {
            disk: SimDisk::new(0xD15C),
            clock: SimClock::default(),
            ids: CountedIds::default(),
            options,
            sinks: Vec::new(),
            data_dir: String::new(),
            bug,
            run_seed: 0,
        };
        Self { shape, around, daemon: None, clients, model, ledger, runs: 0 }
    }

    /// From now on every call is a point at which the power may go.
    pub fn record(&self) {
        let ledger = Arc::clone(&self.ledger);
        self.around.disk.start_recording(move || open(&ledger).witness());
    }

    /// What was recorded.
    pub fn finish(self) -> Record {
        let points = self.around.disk.take_recording();
        let moments = open(&self.ledger).take_moments();
        Record { points, moments, options: self.around.options.clone(), bug: self.around.bug }
    }

    /// The next start finds one sink more.
    pub fn add_sink(&mut self, start: SinkStart) {
        let name = format!("sink-{}", self.around.sinks.len());
        let fault_profile = FaultProfile::default();
        self.around.sinks.push(SinkSetup { name, start, consumer: Default::default(), fault_profile });
    }

    /// Starts the daemon, and takes in what it found.
    pub fn start(&mut self) -> Result<(), String> {
        self.runs += 1;
        self.around.run_seed = self.runs;
        let sinks = self.around.sinks.clone();
        open(&self.ledger).change(|now| now.sinks = sinks);
        let daemon = Daemon::start(&self.around).map_err(|error| format!("it does not start: {error:?}"))?;
        let (unanswered, stopped) = {
            let ledger = open(&self.ledger);
            (Arc::clone(&ledger.now().unanswered), ledger.now().stopped)
        };
        let settled = judge(&mut self.model, &daemon, &unanswered)?;
        settled.lost.into_iter().chain(settled.kept).for_each(|command| self.clients.unanswered(command));
        judge_sinks(&self.model, &self.around.sinks)?;
        judge_cursors(&daemon, &self.around.sinks, &self.around.options)?;
        if stopped {
            judge_stop(&daemon, &self.around.sinks)?;
        }
        daemon.begin_run(&self.around.sinks);
        self.daemon = Some(daemon);
        self.is_certain();
        Ok(())
    }

    /// Nothing waits for an answer.
    fn is_certain(&self) {
        let model = Arc::new(self.model.clone());
        open(&self.ledger).change(|now| {
            now.model = model;
            now.unanswered = Arc::default();
            now.stopped = false;
        });
    }

    /// Commands on their way: some of each kind, but orders alone where it is about the size of a batch.
    fn sent(&mut self, count: u64) -> (Vec<Envelope>, Arc<Vec<Unanswered>>) {
        let one = |_| match count {
            ..ORDERS_ALONE => self.clients.one(&self.model),
            _ => Envelope {
                connection: ConnectionId(0),
                ticket: Ticket::default(),
                uid: 0,
                request: self.clients.place(&self.model),
            },
        };
        let requests: Vec<_> = (0..count).map(one).collect();
        let at = self.around.clock.now();
        let unanswered = requests.iter().map(|sent| Unanswered { request: sent.request.clone(), at }).collect();
        (requests, Arc::new(unanswered))
    }

    /// This many commands at once, answered; gives how many were refused for want of room.
    pub fn commands(&mut self, count: u64) -> Result<usize, String> {
        let (requests, unanswered) = self.sent(count);
        open(&self.ledger).change(|now| now.unanswered = Arc::clone(&unanswered));
        let daemon = self.daemon.as_mut().ok_or("no daemon")?;
        let answers = daemon.executor.run(&requests).map_err(|error| format!("a batch failed: {error}"))?;
        let mut refused = 0;
        for (sent, answer) in unanswered.iter().zip(&answers) {
            match self.model.check_answer(&sent.request, sent.at, answer)? {
                Verdict::Changed => self.clients.answered(&sent.request),
                Verdict::Full => {
                    refused += 1;
                    self.clients.unanswered(Request::clone(&sent.request));
                }
                Verdict::Duplicate(_) | Verdict::Refused | Verdict::Shown => {}
            }
        }
        self.is_certain();
        Ok(refused)
    }

    /// Time passes.
    pub fn pass(&self, micros: u32) {
        self.around.clock.pass(micros);
    }

    /// The most that the disk holds from now on: what is there, and so much more.
    pub fn set_room(&mut self, room: Option<u64>) {
        let capacity = room.map(|room| self.around.disk.used_bytes() + room);
        self.around.disk.set_capacity(capacity);
        open(&self.ledger).change(|now| now.capacity = capacity);
    }

    /// The next write finds no room for all of it.
    pub fn next_write_lacks_room(&self) {
        self.around.disk.set_faults(|faults| faults.next_lacks_room = Some(Call::Write));
    }

    /// One step of a worker.
    pub fn relay(&self, sink: usize) -> Result<Step, String> {
        let daemon = self.daemon.as_ref().ok_or("no daemon")?;
        let step = daemon.step(sink).ok_or_else(|| format!("worker {sink} ended"))?;
        judge_sinks(&self.model, &self.around.sinks)?;
        Ok(step)
    }

    /// From now on events are also relayed while a batch is being synced.
    pub fn relay_while_syncing(&mut self) -> Result<(), String> {
        let rng = self.shape.fork(2);
        self.daemon.as_ref().ok_or("no daemon")?.relay_while_syncing(rng);
        Ok(())
    }

    /// All events are delivered, and the cursors saved.
    pub fn drain(&self) -> Result<(), String> {
        self.daemon.as_ref().ok_or("no daemon")?.drain(&self.around.clock)
    }

    /// A checkpoint, while this many commands are taken in its midst.
    pub fn checkpoint(&mut self, commands: u64) -> Result<(), String> {
        let index = &self.daemon.as_ref().ok_or("no daemon")?.files.index;
        if index.durable_lsn() == index.checkpoint_lsn() {
            return Ok(());
        }
        self.with_housekeeper(commands, |maintenance, source| maintenance.checkpoint(source))
    }

    /// What maintenance finds due, while this many commands are taken in its midst.
    pub fn keep_house(&mut self, commands: u64) -> Result<(), String> {
        self.with_housekeeper(commands, |maintenance, source| {
            maintenance.turn(source);
            Ok(())
        })
    }

    /// Maintenance makes the next segment, if one is wanted.
    pub fn prepare_segment(&mut self) -> Result<(), String> {
        let daemon = self.daemon.as_ref().ok_or("no daemon")?;
        daemon.maintenance.as_ref().ok_or("no maintenance")?.preparer().turn();
        Ok(())
    }

    fn with_housekeeper(
        &mut self,
        commands: u64,
        act: impl FnOnce(&mut Maintenance, &mut dyn CheckpointSource) -> io::Result<()>,
    ) -> Result<(), String> {
        let daemon = self.daemon.as_mut().ok_or("no daemon")?;
        let mut maintenance = daemon.maintenance.take().ok_or("no maintenance")?;
        let done = act(&mut maintenance, &mut Busy { stage: self, commands });
        if let Some(daemon) = &mut self.daemon {
            daemon.maintenance = Some(maintenance);
        }
        done.map_err(|error| format!("maintenance: {error}"))
    }

    /// The daemon is stopped, and says that all is saved.
    pub fn stop(&mut self) -> Result<(), String> {
        self.daemon.take().ok_or("no daemon")?.stop()?;
        open(&self.ledger).change(|now| now.stopped = true);
        self.around.disk.end_process();
        Ok(())
    }

    /// The daemon is killed in the middle of a batch: what it wrote is shown, and not synced.
    pub fn killed_in_batch(&mut self, count: u64) -> Result<(), String> {
        let tree = self.tree_within_batch(count)?;
        self.come_back(tree);
        Ok(())
    }

    /// The power is cut in the middle of a batch, and one of its sectors is torn.
    pub fn torn_batch(&mut self, count: u64) -> Result<(), String> {
        let tree = self.tree_within_batch(count)?;
        self.come_back_torn(&tree);
        Ok(())
    }

    /// The daemon is killed in the middle of a start.
    pub fn killed_in_start(&mut self) -> Result<(), String> {
        let tree = self.tree_within_start()?;
        self.come_back(tree);
        Ok(())
    }

    /// The power is cut in the middle of a start, and a sector is torn.
    pub fn torn_start(&mut self) -> Result<(), String> {
        let tree = self.tree_within_start()?;
        self.come_back_torn(&tree);
        Ok(())
    }

    /// Commands of which nobody gets an answer.
    fn unanswered(&mut self, count: u64) -> Result<(), String> {
        let (requests, unanswered) = self.sent(count);
        open(&self.ledger).change(|now| now.unanswered = unanswered);
        let daemon = self.daemon.as_mut().ok_or("no daemon")?;
        daemon.executor.run(&requests).map(drop).map_err(|error| format!("a batch failed: {error}"))
    }

    fn tree_within_batch(&mut self, count: u64) -> Result<Tree, String> {
        loop {
            // Where every command was refused nothing was written, and others are sent.
            if let Some(tree) = self.tree_within(|stage| stage.unanswered(count))? {
                return Ok(tree);
            }
        }
    }

    fn tree_within_start(&mut self) -> Result<Tree, String> {
        self.runs += 1;
        self.around.run_seed = self.runs;
        let start = |stage: &mut Self| Daemon::start(&stage.around).map(drop).map_err(|error| format!("{error:?}"));
        self.tree_within(start)?.ok_or_else(|| "a start wrote nothing".to_owned())
    }

    /// The disk as it was at some call of `act` before which a write was not synced; none if there was no such call.
    fn tree_within(&mut self, act: impl FnOnce(&mut Self) -> Result<(), String>) -> Result<Option<Tree>, String> {
        self.around.disk.start_recording(|| 0);
        let done = act(self);
        let mut points = self.around.disk.take_recording();
        done?;
        let is_piece = |part: &Part| matches!(part, Part::Piece(_));
        points.retain(|point| unsynced(&point.tree).iter().any(is_piece));
        if points.is_empty() {
            return Ok(None);
        }
        let chosen = self.shape.index(points.len());
        Ok(Some(points.swap_remove(chosen).tree))
    }

    fn come_back_torn(&mut self, tree: &Tree) {
        let parts = unsynced(tree);
        let choice = *self.shape.pick(&choices(&parts, &Size::SMALL));
        self.come_back(crash(tree, &mut Chosen::new(choice, &first_parts(&parts))));
    }

    /// The daemon is gone, and this is what the disk shows.
    fn come_back(&mut self, tree: Tree) {
        self.daemon = None;
        self.around.disk = SimDisk::with_tree(tree, 0xD15C);
    }
}

/// The store as maintenance sees it: between two looks, commands go on.
struct Busy<'a> {
    stage: &'a mut ScriptRunner,
    commands: u64,
}

/// So few rows are copied at once that commands come in between.
const ROWS_AT_ONCE: usize = 4;

impl Busy<'_> {
    fn go_on(&mut self) -> io::Result<&Daemon> {
        if self.commands > 0 {
            self.commands -= 1;
            self.stage.commands(1).map_err(io::Error::other)?;
        }
        self.stage.daemon.as_ref().ok_or_else(|| io::Error::other("no daemon"))
    }
}

impl CheckpointSource for Busy<'_> {
    fn begin(&mut self) -> io::Result<CheckpointBegin> {
        let store = self.go_on()?.executor.store();
        Ok(CheckpointBegin::of(store))
    }

    fn orders(&mut self, from: usize, count: usize) -> io::Result<Vec<OrderRow>> {
        let daemon = self.go_on()?;
        Ok(daemon.executor.store().state().orders.rows(from, count.min(ROWS_AT_ONCE)).collect())
    }

    fn commands(&mut self, from: u64, count: usize) -> io::Result<(Vec<DedupEntry>, u64)> {
        Ok(self.go_on()?.executor.store().state().commands.copy(from, count.min(ROWS_AT_ONCE)))
    }
    fn lanes(&mut self, after: Option<&LaneName>, count: usize) -> io::Result<Vec<(LaneName, ParkedLane)>> {
        Ok(self.go_on()?.executor.store().state().delivery.lanes_after(after, count.min(ROWS_AT_ONCE)))
    }
}
