//! A sink whose events are lines of a file or of standard output: one thread with the target, the feed and the cursor.

mod batch;
mod orders;
mod progress;
mod replays;
mod skips;
mod snapshot;
mod source;
mod state;
mod stream;
mod target;
mod view;
mod worker;

pub use worker::Worker;
