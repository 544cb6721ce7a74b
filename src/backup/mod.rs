//! Backups: a whole store at one position, in a folder that is never served from, and stores made of them.
//!
//! ```text
//! DIR/UNFINISHED              there from the first moment until the backup is whole
//! DIR/manifest.json           what is in it, with checksums; written when everything else is durable
//! DIR/store/identity.backup   in the place of `identity`: so no daemon takes a backup for its store
//! DIR/store/{journal,checkpoints,cursors}/…
//! ```

mod copy;
mod error;
mod layout;
mod manifest;
mod restore;
mod source;

use std::path::Path;

pub use copy::BackupReport;
pub use error::BackupError;
pub use manifest::{check, is_backup};
pub use restore::{Restored, restore};
pub use source::{BackupSource, Position, StoppedStore};

use copy::Copier;
use layout::Unfinished;
use manifest::Manifest;

use crate::contracts::{Lsn, Storage};
use crate::journal::{
    CHECKPOINTS_DIR, CURSORS_DIR, CheckpointReader, JOURNAL_DIR, PREPARED_PATH, StoreId, begun_without_name,
    checkpoint_name, list_checkpoints, list_segments, open_store, plan_end, segment_path,
};
use crate::storage::DiskStorage;

/// Copies the store in `data_dir` into `dir`, at one position that `source` names and keeps.
///
/// # Errors
/// `dir` exists and is not an unfinished backup; the store cannot be read; there is no room: then nothing of `dir` is
/// left.
pub fn back_up(data_dir: &Path, dir: &Path, source: &mut dyn BackupSource) -> Result<BackupReport, BackupError> {
    // 1. From here on nothing that is there now is deleted.
    source.hold()?;
    let storage = DiskStorage::open(data_dir).map_err(BackupError::io("opening", data_dir))?;
    let store_id = open_store(&storage)?;
    let unfinished = Unfinished::begin(dir)?;
    let made = copy_store(data_dir, dir, &storage, store_id, source);
    match made {
        Ok(report) => {
            unfinished.finish()?;
            Ok(report)
        }
        Err(error) => {
            // What cannot be removed is recognised by its mark.
            unfinished.remove();
            Err(error)
        }
    }
}

fn copy_store(
    data_dir: &Path,
    dir: &Path,
    storage: &DiskStorage,
    store_id: StoreId,
    source: &mut dyn BackupSource,
) -> Result<BackupReport, BackupError> {
    let mut copier = Copier::new(data_dir, dir, source);
    // 2. The cursors come before the position is named: what a sink has seen is then in the journal up to there.
    for name in storage.list(CURSORS_DIR).map_err(BackupError::io("listing", &data_dir.join(CURSORS_DIR)))? {
        copier.copy_changing(&format!("{CURSORS_DIR}/{name}"))?;
    }
    // 3. The position. Everything up to it is durable.
    let position = copier.position()?;
    // 4. What needs no more than that. Checkpoints and full segments never change: they may be links.
    for lsn in list_checkpoints(storage).map_err(BackupError::io("listing", &data_dir.join(CHECKPOINTS_DIR)))? {
        if is_within(storage, store_id, lsn, position.as_ref())? {
            copier.copy_finished(&format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(lsn)))?;
        }
    }
    copy_journal(data_dir, storage, store_id, position.as_ref(), &mut copier)?;
    copier.copy_renamed(layout::IDENTITY, layout::BACKUP_IDENTITY)?;
    // 5. Whether everything was held until now.
    copier.release()?;
    let (files, report) = copier.finish(store_id, position.as_ref().map(|position| position.lsn));
    for folder in [JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR, layout::STORE] {
        layout::sync_dir(&dir.join(folder))?;
    }
    Manifest::new(store_id, position.as_ref(), files).write(dir)?;
    let identity = data_dir.join(layout::IDENTITY);
    for path in [layout::MANIFEST, JOURNAL_DIR, CHECKPOINTS_DIR, CURSORS_DIR, layout::STORE, ""] {
        layout::give_to_owner_of(&identity, &dir.join(path))?;
    }
    Ok(report)
}

/// Whether a checkpoint needs no plan after the position.
fn is_within(
    storage: &DiskStorage,
    store_id: StoreId,
    lsn: Lsn,
    position: Option<&Position>,
) -> Result<bool, BackupError> {
    let Some(position) = position else { return Ok(true) };
    let needed = CheckpointReader::open(storage, store_id, lsn)?.points();
    Ok(needed.iter().all(|point| point.lsn <= position.lsn))
}

fn copy_journal(
    data_dir: &Path,
    storage: &DiskStorage,
    store_id: StoreId,
    position: Option<&Position>,
    copier: &mut Copier<'_>,
) -> Result<(), BackupError> {
    let segments = list_segments(storage).map_err(BackupError::io("listing", &data_dir.join(JOURNAL_DIR)))?;
    let Some(position) = position else {
        segments.iter().try_for_each(|base_lsn| copier.copy(&segment_path(*base_lsn), None))?;
        // After a power cut the last segment may still have the name that it was made ahead with.
        return match begun_without_name(storage, store_id, segments.last().copied())? {
            Some(_) => copier.copy(PREPARED_PATH, None),
            None => Ok(()),
        };
    };
    // A full segment says that another one follows: at the very end of one, that is the next one's header.
    let needed: Vec<_> = segments.into_iter().filter(|base_lsn| *base_lsn <= position.lsn.next()).collect();
    let Some((last, full)) = needed.split_last() else {
        return Err(BackupError::Damaged(format!("{JOURNAL_DIR}: there is no segment")));
    };
    for base_lsn in full {
        copier.copy_finished(&segment_path(*base_lsn))?;
    }
    let path = segment_path(*last);
    let bytes = std::fs::read(data_dir.join(&path)).map_err(BackupError::io("reading", &data_dir.join(&path)))?;
    let end = plan_end(&bytes, position.lsn)
        .ok_or_else(|| BackupError::Damaged(format!("{path}: it does not hold plan {}", position.lsn)))?;
    copier.copy(&path, Some(end as u64))
}
