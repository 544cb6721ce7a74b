//! How fast a copy goes, and what is shown of it meanwhile.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::backup::{BackupError, BackupSource, Part, Position};

/// A source whose copy is held to a pace, and shown on a terminal.
pub(super) struct Paced<'a> {
    source: &'a mut dyn BackupSource,
    bytes_per_s_max: Option<u64>,
    rests: bool,
    bar: ProgressBar,
    began: Instant,
    bytes: u64,
}

/// Commands wait for the same disk: after each part that was written the copy rests for that many times as long as the
/// part took, but not longer than the second. So it takes at most a quarter of the disk's time.
const RESTS: u32 = 3;
const REST_MAX: Duration = Duration::from_secs(1);
/// The store's keeper hears of us this often while we wait.
const WAIT_MAX: Duration = Duration::from_secs(1);

impl<'a> Paced<'a> {
    /// At most that number of bytes a second is read, if one is given; with `rests`, whoever else uses the disk has it
    /// most of the time.
    pub fn new(source: &'a mut dyn BackupSource, bytes_per_s_max: Option<u64>, rests: bool) -> Self {
        Self { source, bytes_per_s_max, rests, bar: ProgressBar::hidden(), began: Instant::now(), bytes: 0 }
    }

    /// How long the copy has to wait until it is as slow as it is to be.
    fn ahead_by(&self) -> Duration {
        let Some(bytes_per_s_max) = self.bytes_per_s_max else { return Duration::ZERO };
        let due_ms = self.bytes.saturating_mul(1000).checked_div(bytes_per_s_max).unwrap_or(u64::MAX);
        Duration::from_millis(due_ms).saturating_sub(self.began.elapsed())
    }
}

impl BackupSource for Paced<'_> {
    fn hold(&mut self) -> Result<(), BackupError> {
        self.source.hold()
    }

    fn position(&mut self) -> Result<Option<Position>, BackupError> {
        self.source.position()
    }

    fn begin(&mut self, bytes: u64) {
        self.source.begin(bytes);
        (self.began, self.bytes) = (Instant::now(), 0);
        if io::stderr().is_terminal() {
            let template = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(bytes).with_style(style);
        }
    }

    #[allow(clippy::disallowed_methods, reason = "there is no stop to hear: signals end a client at once")]
    fn part_done(&mut self, part: Part) -> Result<(), BackupError> {
        self.source.part_done(part)?;
        self.bytes = self.bytes.saturating_add(part.bytes);
        self.bar.inc(part.bytes);
        let rest = part.written_in.filter(|_| self.rests).unwrap_or_default();
        let mut rest = rest.saturating_mul(RESTS).min(REST_MAX).max(self.ahead_by());
        while !rest.is_zero() {
            let now = rest.min(WAIT_MAX);
            std::thread::sleep(now);
            rest = rest.saturating_sub(now);
            self.source.part_done(Part { bytes: 0, written_in: None })?;
        }
        Ok(())
    }

    fn release(&mut self) -> Result<(), BackupError> {
        self.bar.finish_and_clear();
        self.source.release()
    }
}
