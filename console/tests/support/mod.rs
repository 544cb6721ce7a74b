//! What the tests share.

pub mod browser;
pub mod console;
pub mod consumer;
pub mod fake_daemon;
pub mod http;
pub mod in_browser;
pub mod real_daemon;
pub mod world;
pub mod world_metrics;

use std::time::{Duration, Instant};

/// Tries until `probe` returns something; panics after half a minute.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
