//! How the process ends: the exit codes of `orderd`.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// The exit codes; those from 64 on are the ones of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The command line is wrong, or asks for something unsafe.
    Usage = 64,
    /// A file or a socket cannot be used.
    Io = 74,
    /// The operating system does not allow it.
    Permission = 77,
    /// A file that configures the console is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the console does not run, for standard error.
#[derive(Debug)]
pub struct Failure {
    /// The code to end with.
    pub exit: Exit,
    /// What was wrong and what would be right.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// An I/O error while doing `what`; a missing permission has a code of its own.
    #[must_use]
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::PermissionDenied { Exit::Permission } else { Exit::Io };
        Self::new(exit, format!("{what}: {error}"))
    }
}
