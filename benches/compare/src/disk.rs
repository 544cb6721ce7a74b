//! What really reaches a disk, as its driver counts it: file system's own journal included, cached writes not.
//!
//! `/proc/PID/io` would tell processes apart, but it counts whole folios of the page cache, which are larger than what
//! is written. So nothing else may write to the disk meanwhile.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The disk below a folder.
pub struct Disk {
    folder: File,
    counters: PathBuf,
}

const SECTOR_BYTES: u64 = 512;

impl Disk {
    pub fn of(folder: &Path) -> Result<Self> {
        let device = fs::metadata(folder)?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        Ok(Self { folder: File::open(folder)?, counters: format!("/sys/dev/block/{major}:{minor}/stat").into() })
    }

    /// Bytes written to it so far, once everything in the caches has been.
    pub fn written_bytes(&self) -> Result<u64> {
        rustix::fs::syncfs(&self.folder)?;
        let counters = fs::read_to_string(&self.counters)
            .with_context(|| format!("no counters of the disk at {}: give --dir on a disk", self.counters.display()))?;
        let sectors = counters.split_whitespace().nth(6).context("no count of written sectors")?;
        Ok(sectors.parse::<u64>()?.saturating_mul(SECTOR_BYTES))
    }
}
