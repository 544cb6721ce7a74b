//! The daemon: which threads there are, in which order they start and stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select, tick};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals as SignalIterator;

use super::AppError;
use super::core::{Core, CoreOptions};
use super::host::Host as _;
use super::machine::Machine;
use super::maintenance::ClosedStore;
use super::options::server_options;
use super::parts::{BackgroundPorts, MAINTENANCE, Parts, parts_of};
use super::relays::{Relay, RelayHandle};
use super::start_watch::StartWatch;
use super::threads::{Ended, Threads, root_cause, spawn};
use super::watchdog::Watchdog;
use crate::config::{Config, StoreType};
use crate::contracts::{Answer, Clock, PlanStore, StatusModel, StoreCondition};
use crate::executor::{CommandLoop, Executor, Inspector};
use crate::logging::LogHandle;
use crate::server::{Server, ServerHandle, ServerOptions, ServerPorts, ServerTelemetry, provide_descriptors};
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
/// Executor, inspector, server, and what works beside the store: at most maintenance, and who hears of other daemons.
const FIXED_THREADS: usize = 5;

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
    /// What works beside the store stops when it is gone.
    background_goes_on: Option<Sender<()>>,
    /// Takes the store from the executor, when that has ended well, to maintenance, for the last checkpoint.
    hand_over: Option<Box<dyn FnOnce(Duration)>>,
    executor_heartbeat: Arc<AtomicU64>,
    status: Arc<StatusModel>,
    ended: Receiver<Ended>,
    threads: usize,
}

impl Daemon {
    fn start(config: &Config, log: &LogHandle, service: &ServiceManager) -> Result<Self, AppError> {
        let (server_options, options) = (server_options(config), CoreOptions::of(config));
        provide_descriptors(&server_options)?;
        let mut machine = Machine::new(config, &server_options);
        match config.store.store_type {
            StoreType::Journal => {
                let watch = StartWatch::begin(service, &options.store.redone_plans)?;
                let core = Core::open(&mut machine, &options)?;
                drop(watch);
                Self::run(config, &server_options, machine, &options, parts_of(core, log))
            }
            #[cfg(feature = "postgres")]
            StoreType::Postgres => {
                let watch = StartWatch::begin(service, &options.store.redone_plans)?;
                let parts = super::postgres::open(config, &options, &mut machine, log)?;
                drop(watch);
                Self::run(config, &server_options, machine, &options, parts)
            }
            #[cfg(not(feature = "postgres"))]
            StoreType::Postgres => {
                Err(AppError::Config("PostgreSQL as the store needs the package orderd-postgres".to_owned()))
            }
        }
    }

    /// Starts from the inside out: whoever is spoken to is there before whoever speaks.
    fn run<S: PlanStore + Send + 'static>(
        config: &Config,
        server_options: &ServerOptions,
        mut machine: Machine<'_>,
        options: &CoreOptions,
        parts: Parts<S>,
    ) -> Result<Self, AppError> {
        machine.note_holder();
        let (listener, clock) = (machine.take_listener()?, machine.clock());
        let Parts { mut executor, relays, decisions, ask, tasks, telemetry, background } = parts;

        let (inspector, inspector_handle) = Inspector::new();
        executor.inspect_with(inspector_handle);
        let (submit, requests) = Server::request_queue(server_options);
        let status = Arc::new(StatusModel::new(executor.store().status(), config.journal.bytes_max));
        let (answer, answers) = bounded::<Vec<Answer>>(ANSWER_BATCHES_MAX);
        let handles: Vec<_> = relays.iter().map(|relay| relay.handle.clone()).collect();
        let ports = server_ports(submit, answers, clock, &status, &handles, options, telemetry);
        let (server, server_handle) = Server::new(listener, server_options.clone(), ports)?;
        let executor_heartbeat = Arc::new(AtomicU64::new(0));
        let (background_goes_on, stop) = bounded(0);
        let command_loop = CommandLoop {
            requests,
            decisions,
            tasks,
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
        let (last_store, handed_over) = bounded(1);
        let ports = BackgroundPorts { tasks: ask, status: Arc::clone(&status), stop, closed: handed_over };
        background(&mut threads, ports)?;
        let failed = |error| AppError::Internal(format!("serving the socket: {error}"));
        threads.start("server", move || server.run().map_err(failed))?;
        Ok(Self {
            server: server_handle,
            relays: handles,
            background_goes_on: Some(background_goes_on),
            hand_over: Some(Box::new(move |time_max| {
                if let Ok(store) = closed.try_recv() {
                    // Nobody may want it: then it is dropped.
                    last_store.send(ClosedStore { store, time_max }).ok();
                }
            })),
            executor_heartbeat,
            status,
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
        let store = self.status.store();
        let state = match store.condition {
            StoreCondition::Ready => "taking commands",
            StoreCondition::Full => "no room for changes",
            StoreCondition::Unavailable => "the database does not answer",
        };
        format!("{state}; durable up to LSN {}", store.journal.durable_lsn)
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
        self.background_goes_on = None;
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
        if let Some(hand_over) = self.hand_over.take() {
            hand_over(time_max);
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

fn server_ports(
    requests: crate::contracts::RequestSender,
    answers: Receiver<Vec<Answer>>,
    clock: Arc<dyn Clock>,
    status: &Arc<StatusModel>,
    relays: &[RelayHandle],
    options: &CoreOptions,
    telemetry: ServerTelemetry,
) -> ServerPorts {
    let targets = relays.iter().zip(&options.sinks).map(|(relay, sink)| relay.target(&sink.consumer_uids));
    ServerPorts {
        requests,
        answers,
        clock,
        store: Arc::clone(status),
        sinks: relays.iter().map(|relay| Arc::clone(&relay.sink.monitor)).collect(),
        targets: targets.collect(),
        telemetry,
    }
}

/// Runs the executor; gives where the store comes when it is closed.
fn start_executor<S: PlanStore + Send + 'static>(
    threads: &mut Threads,
    command_loop: CommandLoop<S>,
    executor: Executor<S>,
) -> Result<Receiver<Box<S>>, AppError> {
    let (close, closed) = bounded(1);
    threads.start("executor", move || {
        // Nobody waits for it after a failure.
        close.send(Box::new(command_loop.run(executor)?)).ok();
        Ok(())
    })?;
    Ok(closed)
}

fn start_relay(threads: &mut Threads, relay: Relay) -> Result<(), AppError> {
    let name = format!("relay-{}", relay.handle.sink.name);
    threads.start(&name, move || Ok(relay.run()?))
}
