//! The real binary as a child process that cannot outlive its test.

use std::fs::{self, File};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Client, DEADLINE, Run, Store, eventually, poll};

/// How long a daemon may take to refuse while its socket answers.
const REFUSAL: Duration = Duration::from_secs(10);

/// A running `orderd serve`; killed when dropped.
pub struct Daemon {
    child: Child,
    output: Output,
}

/// Where the child's words go: files, so that a full pipe never stops the daemon.
struct Output {
    stdout: std::path::PathBuf,
    stderr: std::path::PathBuf,
}

impl Daemon {
    /// Starts the daemon and returns when it answers `ready`.
    #[track_caller]
    pub fn start(store: &Store) -> Daemon {
        let mut daemon = Daemon::spawn(store);
        daemon.wait_ready(store);
        daemon
    }

    /// Starts the daemon without waiting for anything.
    pub fn spawn(store: &Store) -> Daemon {
        Daemon::spawn_command(store, &mut Daemon::command(store))
    }

    /// The command line that `start` runs, for tests that add limits or wrap it.
    pub fn command(store: &Store) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderd"));
        command.arg("serve").arg("--config").arg(store.config());
        command
    }

    /// Starts `command` with its output captured and without the caller's `ORDERD_*` and systemd variables.
    pub fn spawn_command(store: &Store, command: &mut Command) -> Daemon {
        // A number a start, so that a restart does not overwrite what the first life said.
        let number = (0..).find(|n| !store.path(&format!("stderr.{n}")).exists()).expect("a free number");
        let output =
            Output { stdout: store.path(&format!("stdout.{number}")), stderr: store.path(&format!("stderr.{number}")) };
        // The caller's variables are not the test's, unless the test has set them itself.
        for name in ["ORDERD_CONFIG", "ORDERD_SOCKET", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            if !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        let child = command
            .current_dir(store.dir())
            .stdin(Stdio::null())
            .stdout(File::create(&output.stdout).expect("a file for standard output"))
            .stderr(File::create(&output.stderr).expect("a file for standard error"))
            .spawn()
            .expect("the daemon's binary runs");
        Daemon { child, output }
    }

    /// Starts a daemon that must refuse to run, and returns how it ended.
    #[track_caller]
    pub fn refused(store: &Store) -> Run {
        let mut daemon = Daemon::spawn(store);
        let socket = store.socket();
        let probe = || Client::try_connect_within(&socket, Duration::from_secs(1)).ok();
        let answers = || probe().and_then(|mut client| client.try_status()).is_some();
        let ended = poll(DEADLINE, || match daemon.child.try_wait().expect("the child's state") {
            Some(status) => Some(status),
            // It may be another daemon that answers at this socket, so that this one is given time to see it.
            None if answers() => poll(REFUSAL, || daemon.child.try_wait().expect("the child's state"))
                .or_else(|| panic!("it should have refused to run, and it serves: {}", daemon.stderr())),
            None => None,
        });
        let status = ended.unwrap_or_else(|| panic!("neither refused nor ready: {}", daemon.stderr()));
        daemon.run(status)
    }

    /// Waits until `daemon.status` answers "ready".
    #[track_caller]
    pub fn wait_ready(&mut self, store: &Store) {
        let socket = store.socket();
        let ready = poll(DEADLINE, || {
            if let Some(status) = self.child.try_wait().expect("the child's state") {
                panic!("the daemon ended at start with {status}: {}", self.stderr());
            }
            let state = Client::try_connect(&socket).ok()?.try_status()?["state"].as_str()?.to_owned();
            (state == "ready").then_some(())
        });
        assert!(ready.is_some(), "the daemon was not ready within {DEADLINE:?}: {}", self.stderr());
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this daemon alone. One that stops it takes a moment: on return every thread has stopped.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the signal is sent");
        if signal == Signal::STOP {
            eventually(Duration::from_secs(10), "the stop", || self.is_stopped());
        }
    }

    fn is_stopped(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the daemon runs");
        threads.flatten().all(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state follows the name, which ends at the last parenthesis.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't']))
        })
    }

    /// SIGKILL, and waits until the process is gone.
    #[track_caller]
    pub fn kill9(&mut self) {
        self.signal(Signal::KILL);
        self.wait_exit(DEADLINE);
    }

    pub fn sigterm(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGTERM, waits, and holds the daemon to exit 0.
    #[track_caller]
    pub fn stop(&mut self) {
        self.sigterm();
        let status = self.wait_exit(DEADLINE);
        assert_eq!(status.code(), Some(0), "a clean stop exits 0: {}", self.stderr());
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        match poll(deadline, || self.child.try_wait().expect("the child's state")) {
            Some(status) => status,
            None => panic!("the daemon still runs after {deadline:?}: {}", self.stderr()),
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child's state").is_none()
    }

    /// What this life said on standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.output.stderr)
    }

    /// What this life said on standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.output.stdout)
    }

    fn run(&self, status: ExitStatus) -> Run {
        Run { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- what the daemon said ---\n{}", self.stderr());
        }
    }
}

fn read(path: &std::path::Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}
