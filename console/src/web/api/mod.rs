//! `/api/v1/`: what the page shows, as JSON, and what the page lets an operator do.

mod act;
mod answer;
mod read;

pub use act::{lane_action, replay_cancel, replay_start, sink_action};
pub use answer::LaneFilter;
pub use read::{decisions, history, lane, lanes, order, replays, sink, status};
