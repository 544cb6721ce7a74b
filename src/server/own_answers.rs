//! What the server answers itself.

use super::call::Shown;
use super::metrics::MetricsReport;
use super::response::write_result;
use super::shared::Shared;
use super::status::DaemonStatus;

impl Shared {
    /// Writes the answer to a request that the server answers itself.
    pub(super) fn show(&self, out: &mut Vec<u8>, id: &str, shown: Shown) {
        match shown {
            Shown::Status => write_result(out, id, &DaemonStatus::of(self)),
            Shown::Metrics => write_result(out, id, &MetricsReport::of(self)),
        }
    }
}
