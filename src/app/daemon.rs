//! The daemon: which threads there are, in which order they start and stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, tick};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals as SignalIterator;

use super::core::{Core, CoreOptions};
use super::host::Host as _;
use super::machine::Machine;
use super::maintenance::{ClosedStore, MaintenanceView};
use super::options::server_options;
use super::relays::{Relay, RelayHandle};
use super::start_watch::StartWatch;
use super::threads::{Ended, Threads, root_cause, spawn};
use super::watchdog::Watchdog;
use super::{AppError, maintenance};
use crate::config::Config;
use crate::contracts::{Answer, PlanStore as _, StatusModel};
use crate::executor::{CommandLoop, Executor, Inspector, Task};
use crate::journal::{JournalHandle, SegmentMap};
use crate::logging::LogHandle;
use crate::repo::{Maintenance, Store};
use crate::server::{Server, ServerHandle, ServerPorts, ServerTelemetry, provide_descriptors};
use crate::systemd::ServiceManager;

/// How long relays and maintenance may take to stop after the last command was answered.
const STOP_MAX: Duration = Duration::from_millis(1500);
/// A stop takes at most ten seconds; what its checkpoint may use ends before.
const STOP_CHECKPOINT_END: Duration = Duration::from_secs(8);
/// How long an ending thread may take beyond the time that its work was given.
const STOP_GRACE: Duration = Duration::from_millis(500);
/// How long the executor may take to stop once the server has let go of it, which may be at the end of the drain.
const DRAINED_MAX: Duration = Duration::from_millis(300);
/// How often the state is shown to the service manager when it asks for no watchdog.
const STATUS_TURN: Duration = Duration::from_secs(5);
/// Batches of answers on their way to the server, each of at most `executor.batch_commands_max`.
const ANSWER_BATCHES_MAX: usize = 64;
/// The thread that writes checkpoints.
const MAINTENANCE: &str = "maintenance";
/// Executor, inspector, maintenance and server.
const FIXED_THREADS: usize = 4;

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting or from going on; the process must then end at once, whatever its threads do.
pub fn serve(config: Config, log: &LogHandle) -> Result<(), AppError> {
    let service = ServiceManager::from_env();
    let starting = Arc::new(AtomicBool::new(true));
    let signals = listen_to_signals(&starting)?;
    let daemon = Daemon::start(&config, log, &service)?;
    starting.store(false, Ordering::SeqCst);
    service.ready("taking commands");
    tracing::info!(socket = %config.daemon.socket.display(), "ready");
    if let Err(error) = daemon.watch(&config, log, &service, &signals) {
        daemon.halt();
        return Err(error);
    }
    service.stopping("finishing what was accepted");
    tracing::info!("stopping");
    daemon.stop(&config)
}

/// What signals ask for. A request that was not heard yet need not be made again, and none can push out another.
struct SignalRequests {
    stop: Receiver<()>,
    reload: Receiver<()>,
}

/// Signals as messages. One that asks for the end during recovery gets it at once: recovery can be killed at any moment.
fn listen_to_signals(starting: &Arc<AtomicBool>) -> Result<SignalRequests, AppError> {
    let failed = |error: std::io::Error| AppError::Internal(format!("listening to signals: {error}"));
    // A file size limit shows as an error of the write that meets it, not as the end of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(failed)?;
    let mut signals = SignalIterator::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let (stop_sender, stop) = bounded(1);
    let (reload_sender, reload) = bounded(1);
    let starting = Arc::clone(starting);
    let listen = move || {
        for signal in signals.forever() {
            if signal == SIGHUP {
                reload_sender.try_send(()).ok();
                continue;
            }
            if starting.load(Ordering::SeqCst) {
                tracing::info!("told to stop during the start");
                crate::logging::flush();
                std::process::exit(0);
            }
            stop_sender.try_send(()).ok();
        }
    };
    spawn("signals", listen)?;
    Ok(SignalRequests { stop, reload })
}

/// The running threads, and how to reach them.
struct Daemon {
    server: ServerHandle,
    relays: Vec<RelayHandle>,
    /// Maintenance stops when it is gone.
    maintenance_goes_on: Option<Sender<()>>,
    /// From the executor, when it has ended well: what it stored to.
    closed: Receiver<Box<Store>>,
    /// To maintenance, for the last checkpoint.
    hand_over: Option<Sender<ClosedStore>>,
    executor_heartbeat: Arc<AtomicU64>,
    journal: Arc<SegmentMap>,
    ended: Receiver<Ended>,
    threads: usize,
}

impl Daemon {
    /// Starts from the inside out: whoever is spoken to is there before whoever speaks.
    fn start(config: &Config, log: &LogHandle, service: &ServiceManager) -> Result<Self, AppError> {
        let (server_options, options) = (server_options(config), CoreOptions::of(config));
        provide_descriptors(&server_options)?;
        let mut machine = Machine::new(config, &server_options);
        let clock = machine.clock();
        let watch = StartWatch::begin(service, &options.store.redone_plans)?;
        let core = Core::open(&mut machine, &options)?;
        drop(watch);
        machine.note_holder();
        let listener = machine.take_listener()?;
        let Core { mut executor, relays, decisions, forgotten, maintenance, journal, report: _ } = core;

        let (inspector, inspector_handle) = Inspector::new();
        executor.inspect_with(inspector_handle);
        let (submit, requests) = Server::request_queue(&server_options);
        let status = Arc::new(StatusModel::new(executor.store().status(), config.journal.bytes_max));
        let (answer, answers) = bounded::<Vec<Answer>>(ANSWER_BATCHES_MAX);
        let handles: Vec<_> = relays.iter().map(|relay| relay.handle.clone()).collect();
        let targets = handles.iter().zip(&options.sinks).map(|(relay, sink)| relay.target(&sink.consumer_uids));
        let ports = ServerPorts {
            requests: submit,
            answers,
            clock,
            store: Arc::clone(&status),
            sinks: handles.iter().map(|relay| Arc::clone(&relay.sink.monitor)).collect(),
            targets: targets.collect(),
            telemetry: telemetry(&journal, &maintenance, log),
        };
        let (server, server_handle) = Server::new(listener, server_options, ports)?;
        let executor_heartbeat = Arc::new(AtomicU64::new(0));
        let (tasks, tasks_heard) = bounded::<Task<Store>>(1);
        let (maintenance_goes_on, maintenance_stops) = bounded(0);
        let command_loop = CommandLoop {
            requests,
            decisions,
            tasks: tasks_heard,
            answers: answer,
            status: Arc::clone(&status),
            answers_ready: answers_ready(&server_handle),
            more_is_durable: more_is_durable(&handles),
            heartbeat: Arc::clone(&executor_heartbeat),
        };

        let mut threads = Threads::new(relays.len() + FIXED_THREADS);
        relays.into_iter().try_for_each(|relay| start_relay(&mut threads, relay))?;
        let closed = start_executor(&mut threads, command_loop, executor)?;
        threads.start("inspector", move || {
            inspector.run();
            Ok(())
        })?;
        let (segments, (hand_over, last_store)) = (Arc::clone(&journal.index), bounded(1));
        let shown = MaintenanceView { closed: last_store, forgotten, status };
        threads.start(MAINTENANCE, move || {
            maintenance::run(maintenance, tasks, journal, &shown, &maintenance_stops);
            Ok(())
        })?;
        let failed = |error| AppError::Internal(format!("serving the socket: {error}"));
        threads.start("server", move || server.run().map_err(failed))?;
        Ok(Self {
            server: server_handle,
            relays: handles,
            maintenance_goes_on: Some(maintenance_goes_on),
            closed,
            hand_over: Some(hand_over),
            executor_heartbeat,
            journal: segments,
            ended: threads.ended,
            threads: threads.started,
        })
    }

    /// After a fatal error, and before anything else: nobody is told anything any more, also not by threads that go on
    /// until the process has ended. The lock stays until then.
    fn halt(&self) {
        self.server.halt();
    }

    /// Waits for a signal to stop. A thread that ends before one is an error.
    fn watch(
        &self,
        config: &Config,
        log: &LogHandle,
        service: &ServiceManager,
        signals: &SignalRequests,
    ) -> Result<(), AppError> {
        let heartbeats =
            self.relays.iter().map(|relay| (relay.sink.name.to_string(), Arc::clone(&relay.heartbeat))).collect();
        let mut watchdog = Watchdog::new(Arc::clone(&self.executor_heartbeat), self.server.clone(), heartbeats);
        let turn = tick(service.watchdog_interval().unwrap_or(STATUS_TURN));
        loop {
            select! {
                recv(signals.stop) -> _ => return Ok(()),
                recv(signals.reload) -> _ => self.reload(config, log, service),
                recv(self.ended) -> ended => return Err(root_cause(ended.ok(), &self.ended)),
                recv(turn) -> _ => {
                    if watchdog.all_alive() {
                        service.alive();
                    }
                    service.status(&self.status());
                }
            }
        }
    }

    fn status(&self) -> String {
        let state = if self.journal.is_full() { "no room for changes" } else { "taking commands" };
        format!("{state}; durable up to LSN {}", self.journal.durable_lsn())
    }

    fn reload(&self, config: &Config, log: &LogHandle, service: &ServiceManager) {
        service.reloading();
        tracing::info!("reopening file sinks");
        for relay in &self.relays {
            relay.control.reopen();
        }
        log.reread(config);
        service.ready(&self.status());
    }

    /// Stops from the outside in, so that whatever was accepted finds everyone it needs.
    fn stop(mut self, config: &Config) -> Result<(), AppError> {
        let began = Instant::now();
        let mut running = self.threads;
        // 1. The server takes nothing new, answers what it accepted, and lets go of the executor's channel.
        // 2. The executor, with nobody left to send commands, seals the journal.
        self.server.drain();
        self.maintenance_goes_on = None;
        let server_deadline = Instant::now() + config.daemon.shutdown_ms_max + DRAINED_MAX;
        self.await_thread("executor", server_deadline, &mut running)?;
        // 3. The relays deliver what they can in a moment and save their cursors. One that hangs in its sink is left
        //    behind: its cursor says less than it did, and it will do that again.
        for relay in &self.relays {
            relay.control.stop();
        }
        let relays_deadline = Instant::now() + STOP_MAX;
        // 4. Meanwhile maintenance writes the last checkpoint, in the time that is left.
        let checkpoint_deadline = self.begin_last_checkpoint(config, began);
        let maintenance_ended = self.await_threads(relays_deadline, &mut running)?;
        if !maintenance_ended && running > 0 {
            self.await_thread(MAINTENANCE, checkpoint_deadline, &mut running)?;
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Hands the closed store to maintenance; until when that may take.
    fn begin_last_checkpoint(&mut self, config: &Config, stop_began: Instant) -> Instant {
        let now = Instant::now();
        let left = (stop_began + STOP_CHECKPOINT_END).saturating_duration_since(now);
        let time_max = config.checkpoint.stop_ms_max.min(left);
        // Gone either way: maintenance waits for it no longer than there is somebody who could send it.
        let hand_over = self.hand_over.take();
        if let (Some(hand_over), Ok(store)) = (hand_over, self.closed.try_recv()) {
            hand_over.send(ClosedStore { store, time_max }).ok();
        }
        now + time_max + STOP_GRACE
    }

    /// Waits until all threads have ended; whether maintenance was among those that have.
    fn await_threads(&self, deadline: Instant, running: &mut usize) -> Result<bool, AppError> {
        let mut maintenance_ended = false;
        while *running > 0 {
            match self.ended.recv_deadline(deadline) {
                Ok(Ended { thread, result }) => {
                    *running -= 1;
                    maintenance_ended |= thread == MAINTENANCE;
                    result?;
                }
                Err(_) if maintenance_ended || *running > 1 => {
                    tracing::warn!(running, "not every thread has stopped in time; what is stored is whole");
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(maintenance_ended)
    }

    fn await_thread(&self, name: &str, deadline: Instant, running: &mut usize) -> Result<(), AppError> {
        loop {
            match self.ended.recv_deadline(deadline) {
                Ok(ended) => {
                    *running = running.saturating_sub(1);
                    let Ended { thread, result } = ended;
                    result?;
                    if thread == name {
                        return Ok(());
                    }
                }
                Err(_) => {
                    tracing::warn!(thread = name, "has not stopped in time; what is stored is whole");
                    return Ok(());
                }
            }
        }
    }
}

fn answers_ready(server: &ServerHandle) -> Box<dyn Fn() + Send> {
    let server = server.clone();
    Box::new(move || server.answers_ready())
}

fn more_is_durable(relays: &[RelayHandle]) -> Box<dyn Fn() + Send> {
    let controls: Vec<_> = relays.iter().map(|relay| Arc::clone(&relay.control)).collect();
    Box::new(move || controls.iter().for_each(|control| control.durable()))
}

fn telemetry(journal: &JournalHandle, maintenance: &Maintenance, log: &LogHandle) -> ServerTelemetry {
    ServerTelemetry { journal: journal.index.metrics(), checkpoint: maintenance.metrics(), log: log.metrics() }
}

/// Runs the executor; gives where the store comes when it is closed.
fn start_executor(
    threads: &mut Threads,
    command_loop: CommandLoop<Store>,
    executor: Executor<Store>,
) -> Result<Receiver<Box<Store>>, AppError> {
    let (close, closed) = bounded(1);
    threads.start("executor", move || {
        // Nobody waits for it after a failure.
        close.send(Box::new(command_loop.run(executor)?)).ok();
        Ok(())
    })?;
    Ok(closed)
}

fn start_relay(threads: &mut Threads, relay: Relay) -> Result<(), AppError> {
    let control = Arc::clone(&relay.handle.control);
    let name = format!("relay-{}", relay.handle.sink.name);
    threads.start(&name, move || Ok(relay.worker.run(&control)?))
}
