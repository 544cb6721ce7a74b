//! A target's real server, which the test starts itself.

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait::eventually;

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
        eventually("the server to become ready", || {
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
        kill_process_group(group(&child), signal).ok();
        child.wait().expect("the server is waited for");
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

/// A TCP port of the loopback that was free a moment ago.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}
