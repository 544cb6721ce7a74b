//! One run from its seed to its verdict.

use orderd::app::Core;
use orderd::config::SinkStart;
use orderd::contracts::{Command, LaneFilter, Outcome as Answered, Request, RequeueTarget};
use orderd::domain::{Cents, CustomerId, OrderId};
use orderd::relay::Step;
use uuid::Uuid;

use super::daemon::{Daemon, DirectSource, IN_FLIGHT_MAX, SINK, envelope};
use super::expectations::Expectations;
use super::program::{HandedOut, Program, Said};
use super::seen::{Seen, Thing};
use crate::clock::{CountedIds, SimClock};
use crate::disk::{CrashPolicy, SimDisk};
use crate::environment::{Environment, SinkSetup};
use crate::host::SimHost;
use crate::rng::Rng;
use crate::sim::options;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Nothing, or what was wrong.
    pub verdict: Result<(), String>,
    /// What was seen.
    pub seen: Seen,
    /// How many events there were.
    pub events: u64,
    /// A line for everything that happened, if that was asked for.
    pub log: Vec<String>,
}

/// Everything of a run.
pub(super) struct World {
    around: Environment,
    pub(super) rng: Rng,
    pub(super) known: Expectations,
    pub(super) seen: Seen,
    pub(super) daemon: Option<Daemon>,
    pub(super) program: Option<Program>,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, log: bool) -> Outcome {
    let mut rng = Rng::new(seed);
    let mut options = options(&mut rng.fork(1));
    options.cursor_events_max = rng.between(1, 10);
    options.journal_bytes_max = 1 << 30;
    let sink = SinkSetup {
        name: SINK.to_owned(),
        start: SinkStart::Beginning,
        consumer: Default::default(),
        fault_profile: Default::default(),
    };
    let around = Environment {
        disk: SimDisk::new(seed ^ 0xD15C),
        clock: SimClock::default(),
        ids: CountedIds::default(),
        options,
        sinks: vec![sink],
        bug: None,
        run_seed: seed,
        data_dir: String::new(),
    };
    let (known, seen) = (Expectations::default(), Seen::default());
    let mut world = World { around, rng, known, seen, daemon: None, program: None };
    if log {
        world.around.disk.start_log();
    }
    let verdict = world.live();
    Outcome { log: world.around.disk.take_log(), verdict, events: world.known.last(), seen: world.seen }
}

impl World {
    fn live(&mut self) -> Result<(), String> {
        if self.rng.percent(40) {
            self.begin_with_a_snapshot()?;
        }
        for left in (0..self.rng.between(1, 4)).rev() {
            self.start()?;
            for _ in 0..self.rng.between(20, 200) {
                self.step()?;
            }
            // The end may come without a restart: nothing may wait for one.
            if left > 0 || self.rng.percent(50) {
                self.kill();
            }
        }
        if self.daemon.is_none() {
            self.start()?;
        }
        self.finish()?;
        self.known.judge_end()
    }

    pub(super) fn daemon(&self) -> Result<&Daemon, String> {
        self.daemon.as_ref().ok_or_else(|| "no daemon runs".to_owned())
    }

    pub(super) fn daemon_mut(&mut self) -> Result<&mut Daemon, String> {
        self.daemon.as_mut().ok_or_else(|| "no daemon runs".to_owned())
    }

    /// There are orders before the sink is first seen.
    fn begin_with_a_snapshot(&mut self) -> Result<(), String> {
        self.around.run_seed = self.rng.next();
        let mut options = self.around.core_options();
        options.sinks.clear();
        let core = Core::open(&mut SimHost::new(&self.around), &options);
        let mut executor = core.map_err(|error| format!("start: {error}"))?.executor;
        for _ in 0..self.rng.between(1, 60) {
            let request = self.request();
            let answers = executor.run(&[envelope(request)]).map_err(|error| format!("commit: {error}"))?;
            if let Some(Answered::Changed { order, .. }) = answers.first().map(|answer| &answer.outcome) {
                self.known.changed(order);
            }
        }
        drop(executor);
        self.around.disk.end_process();
        self.known.start_with_snapshot();
        self.around.sinks.iter_mut().for_each(|sink| sink.start = SinkStart::Snapshot);
        Ok(())
    }

    fn start(&mut self) -> Result<(), String> {
        self.around.run_seed = self.rng.next();
        let daemon = Daemon::start(&self.around)?;
        let left = daemon.handle.sink.view.snapshot_left();
        self.seen.hit_if(Thing::SnapshotResumed, (1..self.known.rows.len() as u64).contains(&left));
        self.daemon = Some(daemon);
        Ok(())
    }

    fn kill(&mut self) {
        (self.daemon, self.program) = (None, None);
        if self.rng.percent(50) {
            self.around.disk.end_process();
            self.seen.hit(Thing::Killed);
        } else {
            self.around.disk.cut_power(&mut CrashPolicy::new(self.rng.fork(5)));
            self.seen.hit(Thing::PowerCut);
        }
        self.known.killed();
        self.say(|| "killed".to_owned());
    }

    pub(super) fn say(&self, line: impl FnOnce() -> String) {
        self.around.disk.say(|| format!("-- {}", line()));
    }

    /// The next thing that happens.
    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(100) {
            0..=17 => self.change(),
            18..=47 => self.turn().map(drop),
            48..=67 => self.answer(),
            68..=77 => self.daemon_mut()?.take_decisions(),
            78..=87 => self.operate(),
            88..=92 => {
                let micros = *self.rng.pick(&[1000, 20_000, 60_000, 500_000]);
                self.around.clock.pass(micros);
                Ok(())
            }
            93..=94 => self.keep_house(),
            95 => {
                // Nothing is answered in time.
                self.around.clock.pass(31_000_000);
                Ok(())
            }
            _ => self.come_or_go(),
        }
    }

    /// What a client asks for.
    fn request(&mut self) -> Request {
        let orders = &self.known.orders;
        let command = if orders.is_empty() || self.rng.percent(50) {
            let customer_id = CustomerId::new(Uuid::from_u128(7));
            Command::Place {
                order_id: None,
                customer_id,
                total_amount: Cents::new(self.rng.below(1000)).unwrap_or(Cents::MAX),
            }
        } else {
            let order_id = orders[self.rng.index(orders.len())].order_id;
            if self.rng.percent(60) {
                Command::Complete { order_id }
            } else {
                Command::Cancel { order_id, reason: None }
            }
        };
        Request::change(command, None)
    }

    /// A client changes an order.
    fn change(&mut self) -> Result<(), String> {
        let request = self.request();
        match self.daemon_mut()?.ask(request)? {
            Answered::Changed { order, .. } => {
                self.known.changed(&order);
                self.say(|| format!("event {}: order {}", self.known.last(), order.order_id));
            }
            Answered::Refused(_) => {}
            other => return Err(format!("a client got {other:?}")),
        }
        Ok(())
    }

    /// The worker has its turn; then the program takes in what it was handed.
    pub(super) fn turn(&mut self) -> Result<Step, String> {
        let acked = self.daemon()?.handle.sink.view.acked_sequence();
        let step = self.daemon_mut()?.step()?;
        if self.daemon()?.handle.sink.view.acked_sequence() < acked {
            return Err("the prefix went back".to_owned());
        }
        self.listen()?;
        if let Some(program) = &mut self.program {
            let said = std::mem::take(&mut program.said);
            self.known.heard(said);
        }
        Ok(step)
    }

    /// The program reads what there is.
    pub(super) fn listen(&mut self) -> Result<(), String> {
        let Some(mut program) = self.program.take() else { return Ok(()) };
        for said in program.read()? {
            match said {
                Said::Answered => program.attached = true,
                Said::Closed => {
                    self.seen.hit(Thing::Closed);
                    self.say(|| "closed".to_owned());
                    return Ok(());
                }
                Said::Event(out) => {
                    let record = self.daemon.as_ref().ok_or("no daemon runs")?.record()?;
                    self.seen.hit_if(Thing::Replayed, out.replayed);
                    self.seen.hit_if(Thing::Halted, record.halted);
                    let is_parked = record.lanes.keys().any(|order_id| order_id.to_string() == out.subject);
                    self.seen.hit_if(Thing::Row, out.is_snapshot);
                    self.seen.hit_if(Thing::RowParked, out.is_snapshot && is_parked);
                    self.say(|| format!("handed out {} as tag {}, replayed {}", out.sequence, out.tag, out.replayed));
                    self.known.handed_out(&out, program.in_flight.values(), record)?;
                    program.in_flight.insert(out.tag, out);
                    if program.in_flight.len() > IN_FLIGHT_MAX {
                        return Err(format!("{} events are unanswered", program.in_flight.len()));
                    }
                }
            }
        }
        self.program = Some(program);
        Ok(())
    }

    /// The program answers something, or misbehaves.
    fn answer(&mut self) -> Result<(), String> {
        self.listen()?;
        let Some(mut program) = self.program.take_if(|program| program.attached) else { return Ok(()) };
        let tags: Vec<u64> = program.in_flight.keys().copied().collect();
        match self.rng.below(100) {
            0..=3 => {
                let blocked = self.rng.percent(30);
                program.say("unavailable", &format!("{{\"reason\":\"away\",\"blocked\":{blocked}}}"));
                program.voided.extend(tags);
                program.in_flight.clear();
                self.seen.hit(Thing::Unavailable);
            }
            // Late: what counts for nothing any more. The target does not have these.
            4..=9 if !program.voided.is_empty() => {
                let tag = program.voided.swap_remove(self.rng.index(program.voided.len()));
                program.say("delivered", &format!("{{\"tags\":[{tag}]}}"));
                self.seen.hit(Thing::AnsweredLate);
            }
            10 if !program.answered.is_empty() => {
                let tag = *self.rng.pick(&program.answered);
                program.say("delivered", &format!("{{\"tags\":[{tag}]}}"));
                self.seen.hit(Thing::AnsweredTwice);
            }
            _ if tags.is_empty() => {}
            _ => {
                let tag = *self.rng.pick(&tags);
                if let Some(out) = program.in_flight.remove(&tag) {
                    self.answer_one(&mut program, &out)?;
                }
            }
        }
        self.program = Some(program);
        Ok(())
    }

    fn answer_one(&mut self, program: &mut Program, out: &HandedOut) -> Result<(), String> {
        let tag = out.tag;
        self.say(|| format!("answering tag {tag}"));
        let character = self.known.order_of(self.known.item(out)?).map_or(0, |(order, _)| character(order));
        program.answered.push(tag);
        match (character, self.rng.below(100)) {
            (0, 0..=89) | (_, 0..=1) => {
                program.say("rejected", &format!("{{\"tag\":{tag},\"reason\":\"never\"}}"));
                self.seen.hit(Thing::Rejected);
            }
            (1, 0..=79) | (_, 2..=5) => {
                program.say("failed", &format!("{{\"tag\":{tag},\"reason\":\"not now\"}}"));
                self.seen.hit(Thing::Failed);
            }
            _ => return self.deliver(program, out),
        }
        Ok(())
    }

    /// The program's target has it, and the program says so.
    fn deliver(&mut self, program: &mut Program, out: &HandedOut) -> Result<(), String> {
        program.say("delivered", &format!("{{\"tags\":[{}]}}", out.tag));
        if !out.replayed {
            let item = self.known.item(out)?;
            self.known.delivered.insert(item);
            program.said.push(item);
        }
        Ok(())
    }

    /// A program comes, goes without a word, or takes over from another, which goes on talking.
    fn come_or_go(&mut self) -> Result<(), String> {
        self.listen()?;
        match self.program.take() {
            None => self.program = Some(self.attach(false)?),
            Some(_) if self.rng.percent(50) => self.seen.hit(Thing::Vanished),
            Some(mut old) => {
                // What it said before is heard; what it says afterwards is not.
                self.program = Some(old);
                self.turn()?;
                let Some(taken) = self.program.take() else { return Ok(()) };
                old = taken;
                self.program = Some(self.attach(true)?);
                self.turn()?;
                let tags: Vec<String> = old.in_flight.keys().map(u64::to_string).collect();
                old.say("delivered", &format!("{{\"tags\":[{}]}}", tags.join(",")));
                self.seen.hit(Thing::TakenOver);
            }
        }
        Ok(())
    }

    fn attach(&mut self, take_over: bool) -> Result<Program, String> {
        let in_flight_max = 1 + self.rng.index(IN_FLIGHT_MAX);
        let inbox = self.daemon()?.handle.attaches.clone().ok_or("nobody can attach")?;
        Program::attach(&inbox, take_over, in_flight_max)
    }

    fn keep_house(&mut self) -> Result<(), String> {
        let daemon = self.daemon.as_mut().ok_or("no daemon runs")?;
        let mut source = DirectSource(daemon.executor.store());
        if self.rng.percent(50) {
            daemon.maintenance.checkpoint(&mut source).map_err(|error| format!("checkpoint: {error}"))?;
            self.seen.hit(Thing::Checkpoint);
        } else {
            daemon.maintenance.turn(&mut source);
        }
        Ok(())
    }

    /// From here on everybody behaves, and everything comes to its end.
    fn finish(&mut self) -> Result<(), String> {
        self.pause(false)?;
        for round in 0..4000 {
            if self.program.is_none() {
                self.program = Some(self.attach(false)?);
            }
            self.turn()?;
            if let Some(mut program) = self.program.take() {
                for out in std::mem::take(&mut program.in_flight).into_values() {
                    self.deliver(&mut program, &out)?;
                }
                self.program = Some(program);
            }
            self.turn()?;
            self.daemon_mut()?.take_decisions()?;
            self.around.clock.pass(60_000);
            let record = self.daemon()?.record()?;
            let runs = record.snapshot_running || record.runs_a_replay();
            let at_rest = record.lanes.is_empty() && !record.halted && !runs;
            let acked = self.daemon()?.handle.sink.view.acked_sequence().0;
            if at_rest && acked == self.known.last() {
                return Ok(());
            }
            if round % 20 == 19 {
                self.pause(false)?;
                self.requeue(RequeueTarget::All(LaneFilter::default()))?;
            }
        }
        let record = self.daemon()?.record()?;
        Err(format!("STUCK: {} of {} events, {record:?}", self.known.delivered.len(), self.known.last()))
    }
}

/// Some orders are always rejected, some fail often.
fn character(order: OrderId) -> u8 {
    order.uuid().as_bytes().iter().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)) % 8
}
