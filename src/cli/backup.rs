//! `orderd backup`

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::Client;
use super::client_args::SocketArgs;
use super::data_dir_args::journal_dir;
use super::exit::{Exit, Failure};
use super::output::print;
use super::params::Params;
use super::terminal::one_line;
use super::units::{count, size};
use crate::app::AppError;
use crate::backup::{BackupError, BackupReport, BackupSource, Position, StoppedStore, back_up};
use crate::contracts::Lsn;
use crate::storage::StoreLock;

/// Copy the whole store, at one position, while commands go on
///
/// DIR must not exist, or be an unfinished backup, which is replaced. The daemon keeps what is copied; without one, none
/// can start meanwhile. Files that never change again are linked where DIR is on the same disk.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    orderd backup /var/backups/orderd-2026-05-01\n  \
    orderd verify --data-dir /var/backups/orderd-2026-05-01\n  \
    orderd restore /var/backups/orderd-2026-05-01 --data-dir /var/lib/orderd-new\n\n\
    Run it as root or as the daemon's user. Exits 74 if there is no room: then nothing\n\
    of DIR is left.")]
pub struct BackupArgs {
    /// Where the backup goes
    dir: PathBuf,
    /// The store's folder; else the one in the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Print what was copied as one line of JSON
    #[arg(long)]
    json: bool,
}

/// How long the daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// After each part of the copy it rests for that many times as long as the part took, but not longer than the second.
const RESTS: u32 = 3;
const REST_MAX: Duration = Duration::from_secs(1);

pub(super) fn run(args: &BackupArgs, config: Option<&Path>) -> Result<(), Failure> {
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => journal_dir(args.socket.configuration(config)?)?,
    };
    let report = if StoreLock::is_held(&data_dir) {
        let client = args.socket.connect(config, ANSWER_TIMEOUT)?;
        let mut daemon = PinnedStore { client, pins: Vec::new(), failure: None };
        let made = back_up(&data_dir, &args.dir, &mut daemon);
        made.map_err(|error| daemon.failure.take().unwrap_or_else(|| AppError::from(error).into()))?
    } else {
        back_up(&data_dir, &args.dir, &mut StoppedStore::new(&data_dir)).map_err(AppError::from)?
    };
    if args.json {
        let json = serde_json::to_string(&report);
        return print(&json.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?);
    }
    print(&text(&report, &args.dir))
}

fn text(report: &BackupReport, dir: &Path) -> String {
    let BackupReport { store_id, lsn, files, bytes, linked_bytes } = report;
    let position = lsn.map_or_else(|| "all of it".to_owned(), |lsn| format!("up to lsn {lsn}"));
    let mut text = format!("backed up store {store_id}, {position}, to {}\n", one_line(&dir.display().to_string()));
    text.push_str(&format!("{} in {}", size(*bytes), count(*files, "file")));
    if *linked_bytes > 0 {
        let linked = size(*linked_bytes);
        text.push_str(&format!(
            "; {linked} of it are hard links, on the same disk: copy DIR elsewhere to outlive that"
        ));
    }
    text
}

/// A store that its daemon keeps for us.
struct PinnedStore {
    client: Client,
    pins: Vec<u64>,
    /// What the daemon said, or did not say.
    failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Pinned {
    pin: u64,
    lsn: Lsn,
    last_sequence: u64,
    storeepoch: u32,
}

#[derive(Deserialize)]
struct Anything {}

impl PinnedStore {
    fn call<T: DeserializeOwned>(&mut self, method: &str, params: &Params) -> Result<T, BackupError> {
        let called = self.client.call(method, params).map_err(Failure::from).and_then(|result| {
            let read = serde_json::from_str(result.get());
            let unknown = |error| format!("the daemon's answer to {method} cannot be read: {error}");
            read.map_err(|error| Failure::new(Exit::Internal, unknown(error)))
        });
        called.map_err(|failure| {
            let message = failure.message.clone();
            self.failure = Some(failure);
            BackupError::Daemon(message)
        })
    }

    fn pin(&mut self) -> Result<Pinned, BackupError> {
        let pinned: Pinned = self.call("store.pin", &Params::default())?;
        self.pins.push(pinned.pin);
        Ok(pinned)
    }
}

impl BackupSource for PinnedStore {
    fn hold(&mut self) -> Result<(), BackupError> {
        self.pin().map(drop)
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        let Pinned { lsn, last_sequence, storeepoch, .. } = self.pin()?;
        Ok(Some(Position { lsn, last_sequence, epoch: storeepoch }))
    }

    fn keep_alive(&mut self) -> Result<(), BackupError> {
        self.call::<Anything>("daemon.status", &Params::default()).map(drop)
    }

    /// Commands wait for the same disk: the copy takes at most a quarter of its time.
    #[allow(clippy::disallowed_methods, reason = "there is no stop to hear: signals end a client at once")]
    fn rest(&mut self, after: Duration) {
        std::thread::sleep(after.saturating_mul(RESTS).min(REST_MAX));
    }

    /// A pin lives as long as its connection: what can still be let go was kept.
    fn release(&mut self) -> Result<(), BackupError> {
        for pin in std::mem::take(&mut self.pins) {
            self.call::<Anything>("store.unpin", &Params::default().with("pin", pin))?;
        }
        Ok(())
    }
}
