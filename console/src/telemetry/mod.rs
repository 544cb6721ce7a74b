//! What the console knows of the daemon without asking again: the newest sample, and an hour of older ones.

mod histogram;
mod history;
mod metrics;
mod prometheus;
mod sampler;
mod snapshot;
mod status;

pub use history::{GlobalSeries, History, Series, SinkSeries};

pub use prometheus::{Exposition, Kind};
pub use sampler::{Sampler, run};
pub use snapshot::Snapshot;
pub use status::{Journal, SinkStatus, Status};
