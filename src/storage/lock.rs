//! One daemon a data directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::after;

/// Holds the data directory until it is dropped, or until the process ends in whatever way: the kernel frees a
/// flock(2) with its last descriptor, so a killed daemon leaves nothing behind that a restart would have to clear.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
}

/// Why the data directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("data directory {dir} is held by another daemon{holder}; stop that one first, or choose another daemon.data_dir", dir = .dir.display())]
    Held {
        /// The directory.
        dir: PathBuf,
        /// What that process wrote about itself.
        holder: String,
    },
    /// It is not ours alone.
    #[error("data directory {dir} {problem}; orders are nobody else's to change: chown it to the daemon's user and chmod 700", dir = .dir.display())]
    Unsafe {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The system says no.
    #[error("{operation} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
}

impl StoreLock {
    /// How often a held lock is tried again, and for how long each time: a daemon that was just killed may be on its
    /// way out still.
    const TRIES: u32 = 5;
    const WAIT: Duration = Duration::from_millis(50);

    /// Creates the directory (mode 0700) if it is not there, and locks it.
    ///
    /// # Errors
    /// Another daemon holds it, others could change it, or the system says no.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        let io_error = |operation, path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io { operation, path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(io_error("creating", data_dir))?;
        let metadata = fs::metadata(data_dir).map_err(io_error("reading", data_dir))?;
        let refuse = |problem| LockError::Unsafe { dir: data_dir.to_owned(), problem };
        if metadata.mode() & 0o022 != 0 {
            return Err(refuse("can be written by other users"));
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("belongs to another user"));
        }
        let path = data_dir.join("LOCK");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(io_error("opening", &path))?;
        for attempt in 1.. {
            // Named in full: the standard library has methods of the same name with other errors.
            match fs2::FileExt::try_lock_exclusive(&file) {
                Ok(()) => break,
                Err(error) if error.kind() != fs2::lock_contended_error().kind() => {
                    return Err(io_error("locking", &path)(error));
                }
                Err(_) if attempt < Self::TRIES => drop(after(Self::WAIT).recv()),
                Err(_) => {
                    let mut holder = String::new();
                    let said = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
                    let holder = if said { format!(" ({})", holder.trim()) } else { String::new() };
                    return Err(LockError::Held { dir: data_dir.to_owned(), holder });
                }
            }
        }
        Ok(Self { file })
    }

    /// Writes into the lock's file who holds it. Only for people; the lock is what counts. To be called once the store
    /// was found good: a start that is refused changes no byte of the directory.
    pub fn note_holder(&mut self) {
        let file = &mut self.file;
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "pid {}", std::process::id()));
        if let Err(error) = written {
            tracing::warn!(%error, "could not note the process id in the lock file");
        }
    }

    /// Whether somebody holds the directory now, for readers who would like to know what they read.
    #[must_use]
    pub fn is_held(data_dir: &Path) -> bool {
        File::open(data_dir.join("LOCK")).is_ok_and(|file| fs2::FileExt::try_lock_shared(&file).is_err())
    }
}
