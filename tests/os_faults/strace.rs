//! The daemon under strace, with one kind of system call failing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{Daemon, Store};

/// Which call fails, how, and the how-manieth of each thread.
#[derive(Clone, Copy, Debug)]
pub struct Injection {
    pub syscall: &'static str,
    pub errno: &'static str,
    pub when: u64,
    pub repeat: Repeat,
}

/// How often it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// That one and as many after it.
    Times(u64),
    /// That one and all after it.
    ForEver,
}

/// A daemon that strace watches.
pub struct Traced {
    pub daemon: Daemon,
    log: PathBuf,
}

/// Fails the test where strace is missing: faults that were not injected prove nothing.
pub fn require() {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "strace is missing: it makes system calls fail (Debian: apt-get install strace)"
    );
}

impl Traced {
    pub fn spawn(store: &Store, injection: &Injection) -> Traced {
        let log = store.path("strace.log");
        let plain = Daemon::command(store);
        let Injection { syscall, errno, when, .. } = injection;
        let span = match injection.repeat {
            Repeat::Times(times) => format!("{when}..{}", when + times - 1),
            Repeat::ForEver => format!("{when}+"),
        };
        let mut command = Command::new("strace");
        // -D: strace is the grandchild, so that the process that is waited for, and killed, is the daemon.
        command.args(["-D", "-f", "-qq", "-y", "--seccomp-bpf", "-e", "signal=none"]);
        command.arg("-e").arg(format!("trace={syscall}"));
        command.arg("-e").arg(format!("inject={syscall}:error={errno}:when={span}"));
        command.arg("-o").arg(&log).arg(plain.get_program()).args(plain.get_args());
        Traced { daemon: Daemon::spawn_command(store, &mut command), log }
    }

    /// The calls that failed so far, each as strace writes it.
    pub fn failures(&self) -> Vec<String> {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let injected = |line: &&str| line.contains("(INJECTED)");
        let whole = |(at, line): (usize, &&str)| -> String {
            // A call that another thread interrupted stands in two lines: its arguments are in the first.
            match line.split_once("<... ") {
                Some((pid, _)) => {
                    let begun = |other: &&&str| other.starts_with(pid) && other.contains("<unfinished");
                    let start = lines[..at].iter().rev().find(begun).copied().unwrap_or("");
                    format!("{start} {line}")
                }
                None => (*line).to_owned(),
            }
        };
        lines.iter().enumerate().filter(|(_, line)| injected(line)).map(whole).collect()
    }
}
