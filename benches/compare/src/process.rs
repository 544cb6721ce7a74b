//! Servers as child processes: started in a folder of their own, watched through /proc, stopped by their own pid.

use crate::wait;
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server. Dropped, it is killed.
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    /// What the server takes as "stop now, in order".
    stop_signal: Signal,
}

const STOP_MAX: Duration = Duration::from_secs(60);

impl Server {
    /// Starts it; what it prints goes to a file in `folder`.
    pub fn start(name: &'static str, folder: &Path, stop_signal: Signal, command: &mut Command) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log).context("cannot make the server's log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {name}: is its Debian package installed?"))?;
        Ok(Self { name, child, log, stop_signal })
    }

    /// Waits until `ready` says so. Fails at once if the server has ended.
    pub fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let what = format!("{} gets ready", self.name);
        wait::until(&what, limit, Duration::from_millis(1), || {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.name, self.last_words());
            }
            Ok(ready().then_some(()))
        })
    }

    /// Stops it in order and waits for its end.
    pub fn stop(mut self) -> Result<()> {
        self.signal(self.stop_signal)?;
        let status = self.wait_end()?;
        if !status.success() {
            bail!("{} stopped with {status}: {}", self.name, self.last_words());
        }
        Ok(())
    }

    /// Kills it, as a power cut would, and waits for its end.
    pub fn kill(self) -> Result<()> {
        self.crash(Signal::KILL)
    }

    /// Ends it without any clean-up, by its own signal for that.
    pub fn crash(mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        self.wait_end().map(drop)
    }

    /// Resident memory now.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib.saturating_mul(1024))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    fn wait_end(&mut self) -> Result<std::process::ExitStatus> {
        let what = format!("{} ends", self.name);
        wait::until(&what, STOP_MAX, Duration::from_millis(2), || Ok(self.child.try_wait()?))
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // In order first: PostgreSQL's children outlive a killed parent.
            let asked = self.signal(self.stop_signal).and_then(|()| self.wait_end());
            if asked.is_err() && self.signal(Signal::KILL).is_ok() && self.wait_end().is_err() {
                eprintln!("{} (pid {}) does not end", self.name, self.child.id());
            }
        }
    }
}

/// Runs a helper program to its end and returns what it printed.
pub fn run(name: &str, command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(anyhow!("{name} ended with {}: {}", output.status, words.trim()));
    }
    Ok(String::from_utf8(output.stdout)?)
}
