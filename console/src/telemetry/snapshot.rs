//! One sample of the daemon.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::metrics::Families;
use super::status::Status;
use crate::daemon::CallError;

/// What the daemon said, or why it said nothing.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Whether the daemon was asked at all: not at the very beginning.
    pub asked: bool,
    /// When the answers were there.
    pub taken: Instant,
    /// `daemon.status`, as it came and as the console reads it.
    pub status: Result<(Arc<Value>, Arc<Status>), CallError>,
    /// `daemon.metrics`.
    pub metrics: Result<Arc<Families>, CallError>,
}

impl Snapshot {
    /// What there is before the first sample.
    #[must_use]
    pub fn none() -> Self {
        let error = CallError::Unreachable("the console has just started".into());
        Self { asked: false, taken: Instant::now(), status: Err(error.clone()), metrics: Err(error) }
    }

    /// The status, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref().ok().map(|(_, status)| &**status)
    }
}
