//! What every test of the real binary needs: a store of its own, a daemon, a client, the command line.
//!
//! Nothing here waits without a deadline, and nothing looks inside the daemon: configuration, socket, files and
//! exit codes are all that a test sees.
#![allow(dead_code, reason = "each helper serves some tests, none serves all")]

mod cli;
mod client;
mod consumer;
mod daemon;
mod events;
mod fake_daemon;
mod files;
mod mount;
pub mod postgres_server;
mod program;
mod store;

use std::time::{Duration, Instant};

pub use cli::{Cli, Run, orderd};
pub use client::{Client, assert_error, error_kind, place_params, refuses, request};
pub use consumer::{Consumer, Outcome};
pub use daemon::Daemon;
pub use events::{events, events_of, lines};
pub use fake_daemon::{FakeDaemon, refusal};
pub use files::{copy_tree, files, flip_byte, resting_files};
pub use mount::{Mount, must, require_root, run};
pub use program::{HandedOut, Program};
pub use store::Store;

/// How long anything may take before a test gives up: generous, because machines that run tests are busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until `done` holds; fails the test, naming `what`, when `deadline` has passed.
#[track_caller]
pub fn eventually(deadline: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let found = poll(deadline, || done().then_some(()));
    assert!(found.is_some(), "not within {deadline:?}: {what}");
}

/// Polls until `look` finds something, or None when `deadline` has passed.
pub fn poll<T>(deadline: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > deadline {
            return None;
        }
        pause(Duration::from_millis(5));
    }
}

/// The one place that sleeps: the step between two looks of a poll.
#[allow(clippy::disallowed_methods, reason = "a test has no stop to hear; every use is bounded by a deadline")]
pub fn pause(step: Duration) {
    std::thread::sleep(step);
}

/// A fresh random id in the form that the wire speaks.
pub fn uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// The keys of a JSON object, sorted.
#[track_caller]
pub fn keys(object: &serde_json::Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
