//! A file with one event a line.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;
use uuid::Uuid;

use super::file_tail::{self, Tail};
use crate::contracts::{Delivery, Held, Opened, Sink, SinkError, TargetMark};

/// At least as much of the file's end is looked at when it is opened, in case the batches used to be larger.
const TAIL_BYTES_MIN: u64 = 4 << 20;
/// How much more than a batch is read of the file to compare it: lines of others may lie between.
const COMPARE_BYTES: u64 = 64 << 10;
/// So much of the file's end stays cached for its readers.
const CACHED_BYTES: u64 = 1 << 30;
/// What lies before leaves the cache in steps of so much.
const UNCACHE_STEP: u64 = 64 << 20;

/// Appends to a file. What was delivered is acknowledged once it is synced.
///
/// If the file is renamed, later events still go into it until [`Sink::reopen`]: log rotation renames first and
/// signals then. If it is removed, it is created again, because nobody could read on in the old one.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    tail_bytes: u64,
    file: Option<File>,
    /// The end of what was written, or is otherwise known to be there.
    end: TargetMark,
    /// So much of the file was synced last.
    synced_len: u64,
    /// While looking for what the file holds already: how far it was compared.
    compared: Option<u64>,
}

impl FileSink {
    /// A sink that appends to `path`, in batches of at most `batch_bytes_max` bytes. The file is opened, created or
    /// repaired by [`Sink::open`].
    #[must_use]
    pub fn new(path: PathBuf, batch_bytes_max: usize) -> Self {
        Self::with_tail(path, (batch_bytes_max as u64).saturating_mul(2).max(TAIL_BYTES_MIN))
    }

    fn with_tail(path: PathBuf, tail_bytes: u64) -> Self {
        Self { path, tail_bytes, file: None, end: TargetMark::default(), synced_len: 0, compared: None }
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(io::Error) -> SinkError {
        let target = self.path.display().to_string();
        move |source| SinkError { operation, target, is_final: false, source }
    }

    /// How an open file has changed under us; `None` if it has to be opened by its name.
    fn look(&mut self) -> Result<Option<Opened>, SinkError> {
        let Some(file) = &self.file else { return Ok(None) };
        let metadata = file.metadata().map_err(self.failed("look at"))?;
        if metadata.nlink() == 0 {
            tracing::warn!(path = %self.path.display(), "the sink's file was removed; creating it again");
            self.file = None;
            return Ok(None);
        }
        if metadata.len() < self.end.len {
            tracing::warn!(path = %self.path.display(), "the sink's file was cut by somebody else");
            self.repair(file)?;
            return self.cut().map(Some);
        }
        Ok(Some(Opened::Ready(self.end)))
    }

    /// The file is shorter than what was synced of it.
    fn cut(&mut self) -> Result<Opened, SinkError> {
        let Some(file) = &self.file else { return Err(self.failed("look at")(io::ErrorKind::NotFound.into())) };
        let end = mark_of(&file.metadata().map_err(self.failed("look at"))?);
        let last = file_tail::last_event(&self.tail(file, end.len)?);
        (self.end, self.synced_len, self.compared) = (end, end.len, None);
        Ok(Opened::Cut { mark: end, last })
    }

    /// The last bytes of a file of `len` bytes.
    fn tail(&self, file: &File, len: u64) -> Result<Vec<u8>, SinkError> {
        let bytes = len.min(self.tail_bytes);
        let mut tail = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut tail, len - bytes).map_err(self.failed("read"))?;
        Ok(tail)
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
        match file_tail::classify(&self.tail(file, len)?, offset) {
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
    fn open(&mut self, saved: TargetMark) -> Result<Opened, SinkError> {
        if let Some(opened) = self.look()? {
            return Ok(opened);
        }
        let file = self.open_file()?;
        let end = mark_of(&file.metadata().map_err(self.failed("look at"))?);
        (self.file, self.end) = (Some(file), end);
        let is_same = (end.inode, end.device) == (saved.inode, saved.device);
        if is_same && end.len < saved.len {
            return self.cut();
        }
        (self.synced_len, self.compared) = if is_same { (saved.len, Some(saved.len)) } else { (end.len, None) };
        Ok(if is_same { Opened::Resumed(end) } else { Opened::Changed(end) })
    }

    fn held(&mut self, delivery: &Delivery<'_>) -> Result<Held, SinkError> {
        let (Some(file), Some(offset)) = (&self.file, self.compared) else { return Ok(Held::default()) };
        let left = self.end.len.saturating_sub(offset);
        let mut wanted = (delivery.lines.len() as u64).saturating_add(COMPARE_BYTES);
        let found = loop {
            let mut bytes = vec![0; usize::try_from(wanted.min(left)).unwrap_or(0)];
            file.read_exact_at(&mut bytes, offset).map_err(self.failed("read"))?;
            let found = file_tail::compare(&bytes, delivery.lines);
            // Lines of others may take more room than was thought.
            if found.held.events >= delivery.events || found.ended || wanted >= left {
                break found;
            }
            wanted = wanted.saturating_mul(4);
        };
        let compared = offset.saturating_add(found.compared as u64);
        self.compared = Some(compared);
        if found.cut {
            tracing::warn!(path = %self.path.display(), compared, cut_bytes = self.end.len - compared,
                "cut off lines that are not what follows; they come again");
            file.set_len(compared).map_err(self.failed("cut"))?;
            self.end.len = compared;
        }
        Ok(found.held)
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        let Some(mut file) = self.file.take() else {
            return Err(self.failed("write")(io::ErrorKind::NotFound.into()));
        };
        self.compared = None;
        let len_before = self.end.len;
        let written = file.write_all(delivery.lines).map_err(self.failed("write"));
        if written.is_ok() {
            self.end.len = len_before.saturating_add(delivery.lines.len() as u64);
        }
        if written.is_ok() || cut_back(&file, len_before).is_ok() {
            self.file = Some(file);
        }
        // A file that could not even be cut is given up; opening it again will repair it.
        written
    }

    fn sync(&mut self) -> Result<TargetMark, SinkError> {
        // A file that was given up is compared with the journal when it is opened again.
        let Some(file) = &self.file else { return Err(self.failed("sync")(io::ErrorKind::NotFound.into())) };
        let synced = file.sync_data().map_err(self.failed("sync"));
        if synced.is_err() {
            // What the kernel says after a failed sync cannot be trusted: all of it is written again.
            cut_back(file, self.synced_len).ok();
            self.file = None;
        }
        synced?;
        // While the file is compared, only what was compared is known to be what was delivered.
        let len = self.compared.unwrap_or(self.end.len);
        if let Some(file) = &self.file {
            evict_page_cache(file, self.synced_len, len.saturating_sub(self.synced_len));
        }
        self.synced_len = len;
        Ok(TargetMark { len, ..self.end })
    }

    fn acknowledges_deliveries(&self) -> bool {
        false
    }

    fn of_replay(&self, replay_id: Uuid) -> Option<Box<dyn Sink>> {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".replay-{}", replay_id.hyphenated()));
        Some(Box::new(Self::with_tail(path.into(), self.tail_bytes)))
    }

    fn reopen(&mut self) {
        self.file = None;
    }
}

fn mark_of(metadata: &Metadata) -> TargetMark {
    TargetMark { len: metadata.len(), inode: metadata.ino(), device: metadata.dev() }
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
