//! What a client asks for.

use crate::contracts::Request;

/// What a sound request asks for, by who answers it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The executor.
    Execute(Request),
    /// The server, from what the daemon's parts show of themselves.
    Show(Shown),
    /// A sink's worker, to whom the connection goes.
    Attach(AttachCall),
}

/// What the server shows without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Status,
    Metrics,
}

/// `sink.attach`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttachCall {
    pub(super) sink: String,
    pub(super) protocol: u64,
    pub(super) program: String,
    pub(super) in_flight_max: Option<usize>,
    pub(super) take_over: bool,
}

/// What the configuration says about params.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of `metadata`, as sent.
    pub(super) metadata_bytes_max: usize,
    /// Levels of objects and arrays in it.
    pub(super) metadata_levels_max: usize,
    /// Characters of what an attaching program says of itself.
    pub(super) program_chars_max: usize,
}

#[cfg(any(test, fuzzing))]
impl Limits {
    /// The defaults, but for the size of `metadata`.
    pub(super) const fn of_metadata(metadata_bytes_max: usize) -> Self {
        Self { metadata_bytes_max, metadata_levels_max: 32, program_chars_max: 100 }
    }
}
