//! `orderd backup`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::client_args::SocketArgs;
use super::copy_pace::Paced;
use super::copy_paths::{existing, new};
use super::data_dir_args::journal_dir;
use super::exit::{Exit, Failure};
use super::output::print;
use super::params::Params;
use super::terminal::one_line;
use super::units::{count, duration, size};
use crate::app::AppError;
use crate::backup::{BackupError, BackupReport, BackupSource, Part, Position, StoppedStore, back_up};
use crate::contracts::{Folders, Lsn};
use crate::storage::{DiskStorage, StoreLock};

/// Copy the whole store, at one position, while commands go on
///
/// DIR must not exist, or be an unfinished backup, which is replaced. The daemon keeps what is copied; without one, none
/// can start meanwhile. Where DIR is on the same disk, files that never change again share their blocks with the store's
/// if the file system has that (XFS, Btrfs), and are hard links else.
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
    /// Read at most that many bytes a second
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1024..))]
    bytes_per_s_max: Option<u64>,
    #[command(flatten)]
    socket: SocketArgs,
    /// Print what was copied as one line of JSON
    #[arg(long)]
    json: bool,
}

/// How long the daemon may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The daemon hears of us this often: it closes connections that are silent for long, and its pins with them.
const SIGN_EVERY: Duration = Duration::from_secs(1);

pub(super) fn run(args: &BackupArgs, config: Option<&Path>) -> Result<(), Failure> {
    let began = Instant::now();
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => journal_dir(args.socket.configuration(config)?)?,
    };
    let (from, to) = (existing(&data_dir)?, new(&args.dir)?);
    let files = whole_disk()?;
    let report = if StoreLock::is_held(&data_dir) {
        let client = args.socket.connect(config, ANSWER_TIMEOUT)?;
        let mut daemon = PinnedStore { client, pins: Vec::new(), last_sign: Instant::now(), failure: None };
        let made = back_up(&files, &from, &to, &mut Paced::new(&mut daemon, args.bytes_per_s_max, true));
        made.map_err(|error| daemon.failure.take().unwrap_or_else(|| AppError::from(error).into()))?
    } else {
        let mut stopped = StoppedStore::new(&data_dir);
        let made = back_up(&files, &from, &to, &mut Paced::new(&mut stopped, args.bytes_per_s_max, false));
        made.map_err(AppError::from)?
    };
    let made = Made { report, duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) };
    if args.json {
        let json = serde_json::to_string(&made);
        return print(&json.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?);
    }
    print(&text(&made, &args.dir))
}

/// The disk that copies are made on.
///
/// # Errors
/// The root of the machine cannot be opened.
pub(super) fn whole_disk() -> Result<Arc<dyn Folders>, Failure> {
    // Every file of a copy says its mode, as the store's do; a strict umask would take them from their owner.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    Ok(Arc::new(DiskStorage::whole().map_err(|error| Failure::io("cannot open /", &error))?))
}

#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    report: BackupReport,
    duration_ms: u64,
}

fn text(made: &Made, dir: &Path) -> String {
    let BackupReport { store_id, lsn, files, bytes, linked_bytes, cloned_bytes } = &made.report;
    let position = lsn.map_or_else(|| "all of it".to_owned(), |lsn| format!("up to lsn {lsn}"));
    let mut text = format!("backed up store {store_id}, {position}, to {}\n", one_line(&dir.display().to_string()));
    text.push_str(&format!("{} in {}, in {}", size(*bytes), count(*files, "file"), duration(made.duration_ms)));
    let (shared, how) = match (linked_bytes, cloned_bytes) {
        (0, 0) => return text,
        (0, cloned) => (*cloned, "shares its blocks with the store"),
        (linked, 0) => (*linked, "are hard links"),
        (linked, cloned) => (linked.saturating_add(*cloned), "are hard links or share blocks with the store"),
    };
    text.push_str(&format!("; {} of it {how}, on the same disk: copy DIR elsewhere to outlive that", size(shared)));
    text
}

/// A store that its daemon keeps for us.
struct PinnedStore {
    client: Client,
    pins: Vec<u64>,
    last_sign: Instant,
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

    fn part_done(&mut self, _part: Part) -> Result<(), BackupError> {
        if self.last_sign.elapsed() > SIGN_EVERY {
            self.call::<Anything>("daemon.status", &Params::default())?;
            self.last_sign = Instant::now();
        }
        Ok(())
    }

    /// A pin lives as long as its connection: what can still be let go was kept.
    fn release(&mut self) -> Result<(), BackupError> {
        for pin in std::mem::take(&mut self.pins) {
            self.call::<Anything>("store.unpin", &Params::default().with("pin", pin))?;
        }
        Ok(())
    }
}
