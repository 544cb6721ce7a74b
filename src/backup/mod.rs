//! Backups: a whole store at one position, in a folder that is never served from, and stores made of them.
//!
//! ```text
//! DIR/UNFINISHED              there from the first moment until the backup is whole
//! DIR/manifest.json           what is in it, with checksums; written when everything else is durable
//! DIR/store/identity.backup   in the place of `identity`: so no daemon takes a backup for its store
//! DIR/store/{journal,checkpoints,cursors}/…
//! ```
//!
//! Everything goes through [`Folders`]: the simulation kills a copy at any call, and the crash states cut the power there.

mod copy;
mod error;
mod layout;
mod manifest;
mod restore;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use copy::BackupReport;
pub use error::BackupError;
pub use manifest::{check, is_backup};
pub use restore::{Restored, restore};
pub use source::{BackupSource, Part, Position, StoppedStore};

use copy::{Copier, read_whole};
use layout::{STORE_FOLDERS, Unfinished, below};
use manifest::Manifest;

use crate::contracts::{Folders, Lsn, Storage};
use crate::journal::{
    CHECKPOINTS_DIR, CURSORS_DIR, CheckpointReader, JOURNAL_DIR, PREPARED_PATH, StoreId, checkpoint_name,
    list_checkpoints, list_segments, open_store, plan_end, prepared_base, segment_path,
};
use crate::storage::Below;

/// Copies the store in `data_dir` into `dir`, both paths in `files`, at one position that `source` names and keeps.
///
/// # Errors
/// `dir` exists and is not an unfinished backup; the store cannot be read; there is no room: then nothing of `dir` is
/// left.
pub fn back_up(
    files: &Arc<dyn Folders>,
    data_dir: &str,
    dir: &str,
    source: &mut dyn BackupSource,
) -> Result<BackupReport, BackupError> {
    // 1. From here on nothing that is there now is deleted.
    source.hold()?;
    let storage = Below::new(Arc::<dyn Folders>::clone(files), data_dir);
    let store_id = open_store(&storage)?;
    let unfinished = Unfinished::begin(files.as_ref(), dir)?;
    let store = Original { files: files.as_ref(), data_dir, storage: &storage, store_id };
    match store.copy_to(dir, source) {
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

/// The store that is copied.
struct Original<'a> {
    files: &'a dyn Folders,
    data_dir: &'a str,
    storage: &'a dyn Storage,
    store_id: StoreId,
}

/// How a file gets into the copy.
enum Way {
    /// It never changes again: it may be a link.
    Finished,
    /// All of it.
    Whole,
    /// Its first bytes.
    Beginning(u64),
}

type ToCopy = Vec<(String, Way)>;

impl Original<'_> {
    fn copy_to(&self, dir: &str, source: &mut dyn BackupSource) -> Result<BackupReport, BackupError> {
        let mut copier = Copier::new(self.files, self.data_dir, dir, source);
        let position = self.cursors_and_position(&mut copier)?;
        // 4. What needs no more than that.
        let mut wanted = self.checkpoints(position.as_ref())?;
        wanted.extend(match &position {
            Some(position) => self.journal_up_to(position.lsn)?,
            None => self.whole_journal()?,
        });
        copier.begin(wanted.iter().map(|(path, _)| path.as_str()))?;
        for (path, way) in wanted {
            match way {
                Way::Finished => copier.copy_finished(&path)?,
                Way::Whole => copier.copy_whole(&path)?,
                Way::Beginning(bytes) => copier.copy(&path, Some(bytes))?,
            }
        }
        copier.copy_renamed(layout::IDENTITY, layout::BACKUP_IDENTITY)?;
        // 5. Whether everything was held until now.
        copier.release()?;
        let (files, report) = copier.finish(self.store_id, position.as_ref().map(|position| position.lsn));
        // 6. Everything is durable before the manifest says that it is there.
        for folder in STORE_FOLDERS.iter().rev() {
            layout::sync_dir(self.files, &below(dir, folder))?;
        }
        Manifest::new(self.store_id, position.as_ref(), files).write(self.files, dir)?;
        let identity = below(self.data_dir, layout::IDENTITY);
        for path in STORE_FOLDERS.iter().rev().chain([&layout::MANIFEST, &""]) {
            layout::give_to_owner_of(self.files, &identity, &below(dir, path))?;
        }
        Ok(report)
    }

    /// Copies the cursors, and has the position named: everything up to it is durable.
    fn cursors_and_position(&self, copier: &mut Copier<'_>) -> Result<Option<Position>, BackupError> {
        let mut copied = BTreeSet::new();
        loop {
            // 2. The cursors come before the position is named: what a sink has seen is then in the journal up to there.
            for name in self.cursors()? {
                if copied.insert(name.clone()) {
                    copier.copy_changing(&format!("{CURSORS_DIR}/{name}"))?;
                }
            }
            // 3. The position. A sink that is recorded up to there had its cursor before. Where one is new since the others
            //    were copied, the position is named again, after that one.
            let position = copier.position()?;
            if self.cursors()?.iter().all(|name| copied.contains(name)) {
                return Ok(position);
            }
        }
    }

    fn cursors(&self) -> Result<Vec<String>, BackupError> {
        self.storage.list(CURSORS_DIR).map_err(self.io("listing", CURSORS_DIR))
    }

    /// The checkpoints that need no plan after the position.
    fn checkpoints(&self, position: Option<&Position>) -> Result<ToCopy, BackupError> {
        let mut wanted = ToCopy::new();
        for lsn in list_checkpoints(self.storage).map_err(self.io("listing", CHECKPOINTS_DIR))? {
            let is_within = match position {
                None => true,
                Some(position) => {
                    let needed = CheckpointReader::open(self.storage, self.store_id, lsn)?.points();
                    needed.iter().all(|point| point.lsn <= position.lsn)
                }
            };
            if is_within {
                wanted.push((format!("{CHECKPOINTS_DIR}/{}", checkpoint_name(lsn)), Way::Finished));
            }
        }
        Ok(wanted)
    }

    /// The journal of a stopped store.
    fn whole_journal(&self) -> Result<ToCopy, BackupError> {
        let segments = list_segments(self.storage).map_err(self.io("listing", JOURNAL_DIR))?;
        let mut wanted: ToCopy = segments.iter().map(|base_lsn| (segment_path(*base_lsn), Way::Whole)).collect();
        // After a power cut the last segment may still have the name that it was made ahead with.
        if prepared_base(self.storage, self.store_id)?.is_some() {
            wanted.push((PREPARED_PATH.to_owned(), Way::Whole));
        }
        Ok(wanted)
    }

    /// The journal of a running store: full segments, and the beginning of the one that holds the position.
    fn journal_up_to(&self, lsn: Lsn) -> Result<ToCopy, BackupError> {
        let segments = list_segments(self.storage).map_err(self.io("listing", JOURNAL_DIR))?;
        // A full segment says that another one follows: at the very end of one, that is the next one's header.
        // The one before the last may still be about to say so; where the last is, it need not be told.
        let needed: Vec<_> = segments.into_iter().filter(|base_lsn| *base_lsn <= lsn.next()).collect();
        let Some((last, full)) = needed.split_last() else {
            return Err(BackupError::Damaged(format!("{JOURNAL_DIR}: there is no segment")));
        };
        let mut wanted = ToCopy::new();
        if let Some((before, finished)) = full.split_last() {
            wanted.extend(finished.iter().map(|base_lsn| (segment_path(*base_lsn), Way::Finished)));
            wanted.push(self.segment_up_to(*before, Lsn(last.0.saturating_sub(1)))?);
        }
        wanted.push(self.segment_up_to(*last, lsn)?);
        Ok(wanted)
    }

    /// A segment up to the end of a plan.
    fn segment_up_to(&self, base_lsn: Lsn, lsn: Lsn) -> Result<(String, Way), BackupError> {
        let path = segment_path(base_lsn);
        let read = self.storage.open_read_only(&path).and_then(|file| read_whole(file.as_ref()));
        let end = plan_end(&read.map_err(self.io("reading", &path))?, lsn)
            .ok_or_else(|| BackupError::Damaged(format!("{path}: it does not hold plan {lsn}")))?;
        Ok((path, Way::Beginning(end as u64)))
    }

    fn io(&self, operation: &'static str, path: &str) -> impl FnOnce(std::io::Error) -> BackupError + use<> {
        BackupError::io(operation, &below(self.data_dir, path))
    }
}
