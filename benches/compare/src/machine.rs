//! The machine that a figure is from.

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

/// What a reader has to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processors: usize,
    pub processor: String,
    pub kernel: String,
    pub file_system: String,
    /// Median time to write 200 bytes and make them durable.
    pub sync_us: f64,
}

const SYNCS: usize = 500;
const SYNC_BYTES: usize = 200;

impl Machine {
    /// Looks at this one; `folder` is where the servers keep their files.
    pub fn look(folder: &Path) -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
        Ok(Self {
            processors: std::thread::available_parallelism()?.get(),
            processor: processor.trim_start_matches(['\t', ' ', ':']).to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system(folder)?,
            sync_us: sync_us(folder)?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} × {}, Linux {}, {}, {:.0} µs for a write of 200 bytes and its fdatasync",
            self.processors, self.processor, self.kernel, self.file_system, self.sync_us
        )
    }
}

/// The kind of the file system that holds `folder`: the longest mount point that is above it.
fn file_system(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let kinds = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next()?, fields.next()?);
        folder.starts_with(point).then(|| (point.len(), kind.to_owned()))
    });
    let kind = kinds.max().map_or_else(|| "unknown".to_owned(), |(_, kind)| kind);
    ensure!(kind != "tmpfs", "{} is memory, where nothing is made durable: give --dir on a disk", folder.display());
    Ok(kind)
}

fn sync_us(folder: &Path) -> Result<f64> {
    let file = tempfile::tempfile_in(folder)?;
    fs2::FileExt::allocate(&file, u64::try_from(SYNCS * SYNC_BYTES)?)?;
    file.sync_all()?;
    let mut times_us = Vec::with_capacity(SYNCS);
    for offset in (0..u64::try_from(SYNCS * SYNC_BYTES)?).step_by(SYNC_BYTES) {
        let start = Instant::now();
        file.write_all_at(&[b'x'; SYNC_BYTES], offset)?;
        file.sync_data()?;
        times_us.push(start.elapsed().as_secs_f64() * 1e6);
    }
    times_us.sort_by(f64::total_cmp);
    Ok(times_us.get(SYNCS / 2).copied().unwrap_or_default())
}
