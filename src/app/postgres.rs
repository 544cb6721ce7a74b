//! A daemon over PostgreSQL: its store, and who hears of what other daemons store.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::AppError;
use super::core::CoreOptions;
use super::host::Host;
use super::machine::Machine;
use super::parts::{Background, Parts};
use super::relaying::{self, Relaying};
use super::sink_options::SinkOptions;
use crate::config::{Config, StoreType};
use crate::contracts::DecisionBatch;
use crate::executor::{Executor, Operations};
use crate::logging::LogHandle;
use crate::postgres::{Database, DatabaseError, DatabaseOptions, Listener, PostgresOptions, PostgresStore, Secret};
use crate::relay::cloud_event;
use crate::server::ServerTelemetry;

/// The configured database.
pub(super) fn database(config: &Config) -> Result<Database, AppError> {
    let store = &config.store;
    if store.store_type != StoreType::Postgres {
        let problem = "store.type: the store is the journal; with \"postgres\" it is a database";
        return Err(AppError::Config(problem.to_owned()));
    }
    let address = match (&store.url, &store.url_file) {
        (Some(url), _) => Secret::Text(url.clone()),
        (None, Some(file)) => Secret::File(file.clone()),
        (None, None) => return Err(AppError::Config("store.url_file: is missing".to_owned())),
    };
    let options = DatabaseOptions {
        address,
        password_file: store.password_file.clone(),
        ca_file: store.ca_file.clone(),
        application_name: format!("orderd/{}", config.daemon.name),
        connect_max: store.connect_ms_max,
        statement_max: store.statement_ms_max,
        lock_max: store.lock_ms_max,
        lease: store.lease,
    };
    Database::new(options).map_err(AppError::Config)
}

/// Opens the store, as [`super::Core::open`] does the journal's. While the database does not answer it waits.
pub(super) fn open(
    config: &Config,
    options: &CoreOptions,
    host: &mut Machine<'_>,
    log: &LogHandle,
) -> Result<Parts<PostgresStore>, AppError> {
    host.lock()?;
    host.probe_socket()?;
    let database = database(config)?;
    let store = &config.store;
    let postgres = PostgresOptions {
        event_source: Arc::clone(&options.store.event_source),
        backoff_min: store.backoff_ms_min,
        backoff_max: store.backoff_ms_max,
        outcome_max: store.outcome_ms_max,
        poll: store.poll_ms,
        partition_events_ahead: store.partition_events_ahead,
    };
    let mut store = open_store(&database, &postgres, host)?;
    let (decide, decisions) = bounded::<DecisionBatch>(options.sinks.len().max(1));
    let Relaying { relays, elections, waiting, leftovers } =
        relaying::open(config, options, host, &database, &mut store, &decide)?;
    let listener = Listener::new(database, store.look(), postgres.backoff_max);
    let mut executor = Executor::new(store, host.clock(), host.order_ids(), options.executor);
    executor.operate_with(Operations {
        sinks: relays.iter().map(|relay| relay.handle.sink.clone()).collect(),
        replays_max: options.sinks.iter().map(SinkOptions::replays_max).collect(),
        leftovers,
        render: cloud_event::render,
        pins: Arc::default(),
        on_forgotten: Box::new(|_| {}),
    });
    host.bind_socket()?;
    let telemetry = ServerTelemetry { journal: Arc::default(), checkpoint: Arc::default(), log: log.metrics() };
    let background: Background<_> = Box::new(move |threads, ports| {
        // There is room: each waits for one.
        waiting.iter().for_each(|candidate| drop(candidate.try_send(ports.tasks.clone())));
        let stop = ports.stop.clone();
        threads.start("elections", move || {
            elections.run(&stop);
            Ok(())
        })?;
        threads.start("listener", move || {
            listen(listener, &decide, &ports.stop);
            Ok(())
        })
    });
    let (ask, tasks) = bounded(1);
    Ok(Parts { executor, relays, decisions, ask, tasks, telemetry, background })
}

/// Waits for the database as long as it takes; what it refuses ends the start.
fn open_store(database: &Database, options: &PostgresOptions, host: &Machine<'_>) -> Result<PostgresStore, AppError> {
    let mut wait = options.backoff_min;
    loop {
        match PostgresStore::open(database, options.clone(), host.clock()) {
            Err(error @ DatabaseError::Unavailable(_)) => {
                tracing::warn!(%error, "waiting for the database");
                crossbeam_channel::after(wait).recv().ok();
                wait = wait.saturating_mul(2).min(options.backoff_max);
            }
            opened => return Ok(opened?),
        }
    }
}

/// Wakes the executor when another daemon has stored something.
fn listen(mut listener: Listener, wake: &Sender<DecisionBatch>, stop: &Receiver<()>) {
    const TURN: Duration = Duration::from_millis(250);
    while stop.try_recv() == Err(crossbeam_channel::TryRecvError::Empty) {
        match listener.wait(TURN) {
            Ok(true) => {
                // An empty batch: the executor looks at the database. If the queue is full it will, anyway.
                wake.try_send(DecisionBatch { ticket: 0, decisions: Vec::new() }).ok();
            }
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "not listening to the database; it is looked at in steps");
                if stop.recv_timeout(listener.backoff()) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        }
    }
}

impl From<DatabaseError> for AppError {
    fn from(error: DatabaseError) -> Self {
        let message = format!("the database: {error}");
        match error {
            DatabaseError::Unavailable(_)
            | DatabaseError::Conflict { .. }
            | DatabaseError::NoPartition(_)
            | DatabaseError::Full(_) => Self::Io(message),
            DatabaseError::Refused(_) => Self::Config(message),
        }
    }
}
