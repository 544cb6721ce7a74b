//! A target's real server, which the test starts itself.

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::wait::{eventually, within};

/// How long a server may take to start, on a machine that is busy.
const START_MAX: Duration = Duration::from_secs(240);

/// A server in a process group of its own. Dropping it kills the group.
pub struct Server {
    child: Option<Child>,
    command: Box<dyn Fn() -> Command>,
    ready: Box<dyn Fn() -> bool>,
    log: PathBuf,
}

impl Server {
    /// Starts what `command` says and waits until it is `ready`. Its output goes to `server.log` in `dir`.
    ///
    /// # Panics
    /// It is not installed, or does not become ready.
    #[must_use]
    pub fn start(dir: &Path, command: impl Fn() -> Command + 'static, ready: impl Fn() -> bool + 'static) -> Self {
        let log = dir.join("server.log");
        let mut server = Self { child: None, command: Box::new(command), ready: Box::new(ready), log };
        server.start_again();
        server
    }

    /// Kills it if it runs, starts it again with the same command, and waits until it is ready.
    ///
    /// # Panics
    /// It is not installed, or does not become ready.
    pub fn start_again(&mut self) {
        self.kill();
        let log = || File::options().create(true).append(true).open(&self.log).expect("a log file");
        let mut command = (self.command)();
        command.stdin(Stdio::null()).stdout(log()).stderr(log()).process_group(0);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("{} is not installed: this test needs the real server", command.get_program().display())
            }
            Err(error) => panic!("{command:?}: {error}"),
        };
        let child = self.child.insert(child);
        within(START_MAX, "the server to become ready", || {
            if let Some(status) = child.try_wait().expect("the server is waited for") {
                panic!("the server ended: {status}\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
            }
            (self.ready)().then_some(())
        });
    }

    /// SIGKILL to the whole group.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// SIGTERM to the whole group, and its end.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Sends a signal to the whole group.
    ///
    /// # Panics
    /// It does not run.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process_group(group(child), signal).expect("the server is there");
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        let group = group(&child);
        kill_process_group(group, signal).ok();
        child.wait().expect("the server is waited for");
        // The one that listens may be a child of the one that we started, and its port would still seem to answer.
        eventually("the end of the server", || test_kill_process_group(group).is_err().then_some(()));
    }
}

fn group(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A TCP port of the loopback that was free a moment ago. It is below those that the system gives to clients: one that
/// asks again and again for a server that does not listen yet would at last be given that port, and connect to itself.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test programs run beside each other.
    let start = std::process::id().wrapping_mul(7_919);
    let ports = std::iter::repeat_with(|| start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT + FIRST);
    let mut ports = ports.take(1_000).filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}
