//! What the daemon counts and measures of itself.
//!
//! The table [`METRICS`] says which metrics there are. Their owners write [`Counter`]s, [`Gauge`]s and [`Histogram`]s:
//! atomics, so that nobody ever waits for a reader. Whoever shows metrics reads them without asking the owners.

mod instruments;
mod owners;
mod table;

pub use instruments::{Counter, Gauge, Histogram, HistogramReading};
pub use owners::{CheckpointMetrics, ExecutorMetrics, JournalMetrics, LaneGauges, LogMetrics, SinkMetrics};
pub use table::{Kind, METRICS, MetricSpec, metric};
