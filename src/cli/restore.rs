//! `orderd restore`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::backup::whole_disk;
use super::config_args::ConfigArgs;
use super::copy_pace::Paced;
use super::copy_paths::{existing, new};
use super::exit::{Exit, Failure};
use super::output::print;
use super::terminal::one_line;
use super::units::count;
use crate::app::{AppError, NewEpoch, begin_epoch};
use crate::backup::{StoppedStore, restore};
use crate::contracts::Lsn;

/// Make a store of a backup, or of a plain copy of a stopped store
///
/// The store gets the next storeepoch, which events stored from then on carry: consumers tell them by it from what the
/// lost store may have announced under the same sequence.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    orderd restore /var/backups/orderd-2026-05-01 --data-dir /var/lib/orderd-new\n\n\
    Exits 65 if the backup is unfinished or damaged, 74 if there is no room.")]
pub struct RestoreArgs {
    /// The backup
    dir: PathBuf,
    /// Where the store goes; it must not exist
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
    /// Print what was made as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made {
    storeepoch: u32,
    lsn: Lsn,
    orders: u64,
}

pub(super) fn run(args: &RestoreArgs, config: Option<&Path>) -> Result<(), Failure> {
    // The store is opened as the daemon will open it.
    let config = args.config.find(config)?;
    let (from, to) = (existing(&args.dir)?, new(&args.data_dir)?);
    let mut source = StoppedStore::new(&args.dir);
    let copy =
        restore(&whole_disk()?, &from, &to, &mut Paced::new(&mut source, None, false)).map_err(AppError::from)?;
    let NewEpoch { epoch, lsn, orders } = match begin_epoch(&copy.storage(), &config) {
        Ok(begun) => begun,
        Err(error) => {
            copy.discard();
            return Err(error.into());
        }
    };
    copy.finish().map_err(AppError::from)?;
    if args.json {
        let json = serde_json::to_string(&Made { storeepoch: epoch, lsn, orders });
        return print(&json.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?);
    }
    let (orders, dir) = (count(orders, "order"), one_line(&args.data_dir.display().to_string()));
    print(&format!("restored {orders} to {dir}; storeepoch {epoch} begins with lsn {lsn}"))
}
