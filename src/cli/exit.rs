//! How a command ends.

use std::fmt;
use std::process::ExitCode;

use crate::app::AppError;
use crate::config::ConfigError;

/// The exit codes; those from 64 on are the ones of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The daemon refused the command.
    Refused = 1,
    /// The command line is wrong.
    Usage = 64,
    /// The store is damaged.
    Damaged = 65,
    /// No daemon answers.
    NoDaemon = 69,
    /// An internal error (a bug), here or in the daemon.
    Internal = 70,
    /// Another daemon holds the data directory.
    Held = 73,
    /// A file or a socket cannot be used.
    Io = 74,
    /// The daemon refused the command, and may take it later.
    Retry = 75,
    /// The system, or the daemon, does not allow it.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A command that did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub exit: Exit,
    /// What went wrong, for standard error.
    pub message: String,
    /// The daemon's error object, for standard output, where the caller asked for JSON.
    pub json: Option<String>,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), json: None }
    }

    /// A file or stream that cannot be used; a missing permission has a code of its own.
    #[must_use]
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::PermissionDenied { Exit::Permission } else { Exit::Io };
        Self::new(exit, format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = match &error {
            ConfigError::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Exit::Permission
            }
            ConfigError::Unreadable { .. } | ConfigError::Invalid(_) => Exit::Config,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let exit = match &error {
            AppError::Damaged(_) => Exit::Damaged,
            AppError::Held(_) => Exit::Held,
            AppError::Io(_) => Exit::Io,
            AppError::Permission(_) => Exit::Permission,
            AppError::Config(_) => Exit::Config,
            AppError::Internal(_) => Exit::Internal,
        };
        Self::new(exit, error.to_string())
    }
}

/// Makes a panic of any thread the end of the process, with the code for it: a daemon that lost a thread keeps no
/// promise. Nothing is unwound or saved; the next start recovers as after a crash.
pub fn exit_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(Exit::Internal.code().into());
    }));
}
