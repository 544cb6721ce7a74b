//! How fast a connector is beside a program that does nothing but publish.

use std::time::{Duration, Instant};

use crate::real_daemon::RealDaemon;
use crate::target::Target;

/// Orders of three events each.
const ORDERS: u64 = 14_000;

/// Clients that place them.
const CLIENTS: u64 = 8;

/// What the connector has to reach of the other program's rate.
const RATIO_MIN: f64 = 0.5;

/// The most memory that a connector may take.
const RESIDENT_KIB_MAX: u64 = 64 * 1_024;

/// Lets the connector deliver what the real daemon has, then lets `publish` send the same lines, with the same
/// confirmations and without daemon and outcomes; it says how long that took. Prints a line for `orderd-compare connectors`.
///
/// # Panics
/// The connector is slower than half of it, or takes more than 64 MiB.
pub fn compare<T: Target>(target: &T, more: &str, publish: impl FnOnce(&[String]) -> Duration) {
    let daemon = RealDaemon::start("");
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| daemon.work(ORDERS / CLIENTS));
        }
    });
    let began = Instant::now();
    let connector = target.connector(&daemon, more);
    let lines = daemon.wait_settled();
    let ours = began.elapsed();
    let resident = connector.resident_kib_max();
    drop(connector);
    let theirs = publish(&lines);
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let rate = |time: Duration| (lines.len() as f64 / time.as_secs_f64()).round();
    println!(
        "throughput: {} events/s, minimal publisher {} events/s, ratio {ratio:.2}, {resident} KiB",
        rate(ours),
        rate(theirs)
    );
    assert!(ratio >= RATIO_MIN, "{ratio:.2}");
    assert!(resident < RESIDENT_KIB_MAX, "{resident} KiB");
}
