//! A file with one event a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

use super::file_tail::{self, Tail};
use crate::contracts::{Delivery, Sink, SinkError};

/// At least as much of the file's end is looked at when it is opened, in case the batches used to be larger.
const TAIL_BYTES_MIN: u64 = 4 << 20;
/// So much of the file's end stays cached for its readers.
const CACHED_BYTES: u64 = 1 << 30;
/// What lies before leaves the cache in steps of so much.
const UNCACHE_STEP: u64 = 64 << 20;

/// Appends to a file, and syncs it before the acknowledgement.
///
/// If the file is renamed, later events still go into it until [`Sink::reopen`]: log rotation renames first and
/// control then. If it is removed, it is created again, because nobody could read on in the old one.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    tail_bytes: u64,
    file: Option<File>,
}

impl FileSink {
    /// A sink that appends to `path`, and leaves at most `batch_bytes_max` bytes unsynced.
    ///
    /// The file is created or repaired at once, so that consumers find it before the first event. Where that fails it
    /// is logged and tried again at the next delivery: a folder that is not there yet does not stop the daemon.
    #[must_use]
    pub fn open(path: PathBuf, batch_bytes_max: usize) -> Self {
        let tail_bytes = (batch_bytes_max as u64).saturating_mul(2).max(TAIL_BYTES_MIN);
        let mut sink = Self { path, tail_bytes, file: None };
        sink.file = sink.open_at_once();
        sink
    }

    fn open_at_once(&self) -> Option<File> {
        self.open_file().inspect_err(|error| tracing::warn!(%error, "the sink's file cannot be opened yet")).ok()
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> SinkError {
        let target = self.path.display().to_string();
        move |source| SinkError { operation, target, source }
    }

    /// The open file and its length.
    fn ready_file(&mut self) -> Result<(File, u64), SinkError> {
        if let Some(file) = self.file.take() {
            let metadata = file.metadata().map_err(self.failed("look at"))?;
            if metadata.nlink() > 0 {
                return Ok((file, metadata.len()));
            }
            tracing::warn!(path = %self.path.display(), "the sink's file was removed; creating it again");
        }
        let file = self.open_file()?;
        let len = file.metadata().map_err(self.failed("look at"))?.len();
        Ok((file, len))
    }

    fn open_file(&self) -> Result<File, SinkError> {
        // Asked before opening, because opening a pipe would wait for its reader.
        match std::fs::metadata(&self.path) {
            Ok(metadata) if !metadata.is_file() => {
                let source = io::Error::new(io::ErrorKind::InvalidInput, "it is there and is no regular file");
                return Err(self.failed("open")(source));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed("look at")(error)),
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&self.path);
        let file = file.map_err(self.failed("open"))?;
        self.lock(&file)?;
        self.repair(&file)?;
        // Also if the file was there: a process before us may have created it and died before this.
        sync_folder_of(&self.path).map_err(self.failed("sync the folder of"))?;
        Ok(file)
    }

    /// What looks torn may be a batch that another process is writing: only the one that holds the file may cut it.
    fn lock(&self, file: &File) -> Result<(), SinkError> {
        match fs2::FileExt::try_lock_exclusive(file) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let source = io::Error::new(io::ErrorKind::ResourceBusy, "another sink or process has locked it");
                Err(self.failed("lock")(source))
            }
            // A file system that knows no locks is no reason to deliver nothing.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Cuts off what a crash left of a batch that was not acknowledged.
    fn repair(&self, file: &File) -> Result<(), SinkError> {
        let len = file.metadata().map_err(self.failed("look at"))?.len();
        let offset = len.saturating_sub(self.tail_bytes);
        let mut tail = vec![0; usize::try_from(len - offset).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut tail, offset).map_err(self.failed("read"))?;
        match file_tail::classify(&tail, offset) {
            Tail::Whole => Ok(()),
            Tail::Torn { whole_bytes } => {
                tracing::warn!(path = %self.path.display(), whole_bytes, cut_bytes = len - whole_bytes,
                    "cut off a batch that was being written when the daemon or the machine stopped; it comes again");
                file.set_len(whole_bytes).map_err(self.failed("cut"))?;
                file.sync_all().map_err(self.failed("sync"))
            }
            Tail::Foreign { offset } => {
                let what =
                    format!("from byte {offset} on it ends in a line that orderd did not write; end or remove it");
                Err(self.failed("append to")(io::Error::new(io::ErrorKind::InvalidData, what)))
            }
        }
    }
}

impl Sink for FileSink {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        let (mut file, len_before) = self.ready_file()?;
        let written = file.write_all(delivery.lines).map_err(self.failed("write"));
        // A failed sync may be followed by a new attempt here, other than in the journal, because the new attempt
        // writes all of these bytes again.
        let synced = written.and_then(|()| file.sync_data().map_err(self.failed("sync")));
        if synced.is_ok() {
            evict_page_cache(&file, len_before, delivery.lines.len() as u64);
        }
        if synced.is_ok() || cut_back(&file, len_before).is_ok() {
            self.file = Some(file);
        }
        // A file that could not even be cut is given up; opening it again will repair it.
        synced
    }

    /// At once, so that whoever has renamed the file finds the new one, also while no event comes.
    fn reopen(&mut self) {
        // Closed first: the file may still be the same one, and its lock is ours.
        self.file = None;
        self.file = self.open_at_once();
    }
}

/// Removes what was written after `len`. Somebody else may have cut the file meanwhile, as some log rotations do:
/// then it must not be extended again.
fn cut_back(file: &File, len: u64) -> io::Result<()> {
    if file.metadata()?.len() > len { file.set_len(len) } else { Ok(()) }
}

/// Lets the system forget what lies far behind the end, now and then. Events that no one reads any more would fill its
/// cache, and every write, also those of the journal, would have to make room first. A hint: it may be ignored.
fn evict_page_cache(file: &File, len_before: u64, added: u64) {
    let steps = |len: u64| len.saturating_sub(CACHED_BYTES) / UNCACHE_STEP;
    let (from, to) = (steps(len_before), steps(len_before.saturating_add(added)));
    if let Some(bytes) = NonZeroU64::new((to - from).saturating_mul(UNCACHE_STEP)) {
        let advised = rustix::fs::fadvise(file, from.saturating_mul(UNCACHE_STEP), Some(bytes), Advice::DontNeed);
        if let Err(error) = advised {
            tracing::debug!(%error, "the system takes no advice on its cache");
        }
    }
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
