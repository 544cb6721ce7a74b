//! What the daemon tells systemd: datagrams to the socket of `NOTIFY_SOCKET` (sd_notify(3)). Outside systemd all of it
//! does nothing.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

/// The shortest time between two signs of life: a watchdog that bites sooner cannot be served, and is no reason to spin.
const ALIVE_MIN: Duration = Duration::from_millis(100);
/// How long a message that must not be lost waits for room in the manager's queue.
const WAIT_MAX: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// The service manager that started us, if any.
#[derive(Debug, Clone)]
pub struct ServiceManager {
    watchdog: Option<Duration>,
    socket: Option<Arc<UnixDatagram>>,
}

/// What happens to a message when the manager's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Another like it follows.
    Repeated,
    /// The manager acts on it.
    Once,
}

impl ServiceManager {
    /// Looks at the environment.
    #[must_use]
    pub fn from_env() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|path| match connect(&path) {
            Ok(socket) => Some(Arc::new(socket)),
            Err(error) => {
                tracing::warn!(?path, %error, "cannot reach the service manager");
                None
            }
        });
        Self { watchdog: watchdog(), socket }
    }

    /// How often [`Self::alive`] has to be called: twice in the time after which we count as hung. None if nobody watches.
    #[must_use]
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|timeout| (timeout / 2).max(ALIVE_MIN))
    }

    /// Commands are answered from now on.
    pub fn ready(&self, status: &str) {
        self.tell(Weight::Once, &format!("READY=1\nSTATUS={}\n", one_line(status)));
    }

    /// What `systemctl status` shows.
    pub fn status(&self, status: &str) {
        self.tell(Weight::Repeated, &format!("STATUS={}\n", one_line(status)));
    }

    /// The start takes longer than usual: wait this much more, counted from now.
    pub fn extend_start(&self, by: Duration) {
        self.tell(Weight::Repeated, &format!("EXTEND_TIMEOUT_USEC={}\n", by.as_micros()));
    }

    /// Executor, journal and relay have moved since the last call, or had nothing to do.
    pub fn alive(&self) {
        self.tell(Weight::Repeated, "WATCHDOG=1\n");
    }

    /// SIGHUP is being followed; `ready` says when that is done.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(Weight::Once, &format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// The stop has begun.
    pub fn stopping(&self, status: &str) {
        self.tell(Weight::Once, &format!("STOPPING=1\nSTATUS={}\n", one_line(status)));
    }

    /// Sends a message. Never waits long: a manager that does not read its queue must not keep us from stopping.
    fn tell(&self, weight: Weight, message: &str) {
        let Some(socket) = &self.socket else { return };
        let full = |sent: &io::Result<usize>| matches!(sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        let mut sent = socket.send(message.as_bytes());
        if full(&sent) && weight == Weight::Once {
            // An error shows when it is sent again.
            poll(&mut [PollFd::new(socket.as_ref(), PollFlags::OUT)], Some(&WAIT_MAX)).ok();
            sent = socket.send(message.as_bytes());
        }
        if full(&sent) && weight == Weight::Repeated {
            return;
        }
        if let Err(error) = sent {
            tracing::warn!(%error, "cannot tell the service manager");
        }
    }
}

/// A socket that is connected to the manager's, which has a path or, with an `@`, an abstract name.
fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The time after which the manager takes us for hung, if it watches this process.
fn watchdog() -> Option<Duration> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros)
}

/// A line break would begin another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn manager(watchdog: Option<Duration>) -> (ServiceManager, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ServiceManager { watchdog, socket: Some(Arc::new(ours)) }, theirs)
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_it_bites_and_never_without_a_pause() {
        let interval = |timeout| manager(timeout).0.watchdog_interval();
        assert_eq!(interval(Some(Duration::from_secs(30))), Some(Duration::from_secs(15)));
        assert_eq!(interval(Some(Duration::from_micros(1))), Some(ALIVE_MIN));
        assert_eq!(interval(None), None);
    }

    #[test]
    fn a_status_is_one_line() {
        assert_eq!(one_line("a\nREADY=1"), "a READY=1");
    }

    #[test]
    fn messages_have_the_form_that_the_manager_reads() {
        let (manager, theirs) = manager(None);
        let mut buffer = [0; 200];
        manager.ready("a\nb");
        let length = theirs.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"READY=1\nSTATUS=a b\n");
        manager.reloading();
        let length = theirs.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"RELOADING=1\nMONOTONIC_USEC="));
    }

    #[test]
    fn a_manager_that_does_not_read_is_not_waited_for() {
        let (manager, _theirs) = manager(None);
        let start = Instant::now();
        for _ in 0..2000 {
            manager.alive();
        }
        manager.stopping("now");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
