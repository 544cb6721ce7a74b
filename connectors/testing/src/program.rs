//! A connector under test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal};

use crate::home::Home;
use crate::wait::eventually;

/// A running connector. Dropping it kills it.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `binary` on the daemon's subscription with this configuration.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start(binary: &str, daemon: &Home, config: &str) -> Self {
        Self::start_with(binary, daemon, config, &[])
    }

    /// The same with variables in its environment.
    ///
    /// # Panics
    /// It cannot be started.
    #[must_use]
    pub fn start_with(binary: &str, daemon: &Home, config: &str, variables: &[(&str, &str)]) -> Self {
        let file = daemon.dir().join("connector.toml");
        std::fs::write(&file, config).expect("the configuration is written");
        let log = daemon.dir().join("connector.log");
        let stderr = File::options().create(true).append(true).open(&log).expect("a log file");
        let child = Command::new(binary)
            .args(["--sink", Home::SINK, "--socket"])
            .arg(daemon.socket())
            .arg("--config")
            .arg(&file)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("the connector starts");
        Self { child, log }
    }

    /// Runs `binary` with `args` to its end.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn run(binary: &str, args: &[&str]) -> Output {
        Command::new(binary).args(args).env_remove("ORDERD_SOCKET").output().expect("the connector starts")
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// The process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// SIGTERM, and its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// The process cannot be waited for.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("the process is waited for");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not end.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the end of the connector", || self.child.try_wait().expect("the process is waited for"))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that was resident, in KiB.
    ///
    /// # Panics
    /// The process is gone.
    #[must_use]
    pub fn resident_kib_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a resident size");
        line.trim().trim_end_matches("kB").trim().parse().expect("a number")
    }

    /// What it wrote to standard error, and those before it in the same folder.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the connector's log\n{}---", self.log());
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
