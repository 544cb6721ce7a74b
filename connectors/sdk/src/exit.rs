//! How a connector ends.

use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;

/// The exit codes; those from 64 on are the ones of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// The daemon refused to let us attach.
    Refused = 1,
    /// The command line is wrong.
    Usage = 64,
    /// `check --connect`: the target does not answer.
    Unavailable = 69,
    /// Internal error (a bug).
    Internal = 70,
    /// A thread or a stream cannot be used.
    Io = 74,
    /// The system, or the daemon, does not allow it.
    Permission = 77,
    /// The configuration is wrong; `check --connect`: the target refuses everything.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the process ends with something else than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A thread, a signal handler or a stream that the system does not give.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        Self::new(Exit::Io, format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = if error.is_permission() { Exit::Permission } else { Exit::Config };
        Self::new(exit, error.to_string())
    }
}

/// Makes a panic of any thread the end of the process: a connector that lost a thread delivers nothing.
pub(crate) fn exit_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(i32::from(Exit::Internal as u8));
    }));
}
