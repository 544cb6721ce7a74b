//! What has to be true of events that arrived at a target.

use std::collections::HashMap;

use serde_json::Value;

use crate::fake_daemon::FakeDaemon;
use crate::program::Program;
use crate::real_daemon::RealDaemon;
use crate::wait::eventually;

/// How often a test kills what it kills: `ORDERD_TEST_KILLS`, or `default`.
#[must_use]
pub fn kills(default: usize) -> usize {
    std::env::var("ORDERD_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(default)
}

/// Publishes events and kills connector, server and daemon by turns while they are on their way, `kills` times each; then
/// waits until everything is delivered. `kill_server` kills the server and starts it again. Returns the lines that were
/// published.
pub fn kill_under_load(
    daemon: &mut FakeDaemon,
    connector: impl Fn(&FakeDaemon) -> Program,
    mut kill_server: impl FnMut(),
    kills: usize,
) -> Vec<String> {
    const ORDERS: u64 = 100;
    let mut running = connector(daemon);
    let mut published: Vec<String> = Vec::new();
    for round in 0..3 * kills {
        let first = u64::try_from(published.len()).expect("a small number");
        let lines: Vec<String> =
            (0..3 * ORDERS).map(|n| crate::event(first + n + 1, first / 3 + n % ORDERS, n / ORDERS + 1)).collect();
        // Not at the same place in each round.
        let at = published.len() + 1 + (round * 37) % 250;
        daemon.publish(lines.clone());
        published.extend(lines);
        daemon.wait_delivered(at);
        match round % 3 {
            0 => {
                running.kill();
                eventually("the connection to end", || (!daemon.is_attached()).then_some(()));
                running = connector(daemon);
            }
            1 => kill_server(),
            _ => {
                daemon.go_away();
                daemon.come_back();
            }
        }
    }
    daemon.wait_delivered(published.len());
    assert_eq!(daemon.delivered().len(), published.len(), "every event is delivered once, as the daemon counts");
    assert!(running.stop().success());
    published
}

/// The same with the real daemon, which is killed as well. Returns the lines of its file: what has to arrive.
pub fn kill_all_under_load(
    daemon: &mut RealDaemon,
    connector: impl Fn(&RealDaemon) -> Program,
    mut kill_server: impl FnMut(),
    kills: usize,
) -> Vec<String> {
    const ORDERS: u64 = 60;
    let mut running = connector(daemon);
    for round in 0..3 * kills {
        daemon.work(ORDERS);
        match round % 3 {
            0 => {
                running.kill();
                running = connector(daemon);
            }
            1 => kill_server(),
            _ => {
                daemon.kill();
                daemon.come_back();
            }
        }
    }
    let lines = daemon.wait_settled();
    let sink = daemon.sink();
    assert_eq!(sink["parked_lanes"], 0, "{sink}");
    assert!(running.stop().success());
    lines
}

/// Checks that every published line arrived byte for byte and that first arrivals of an order came in the order of its
/// versions. Returns how many arrived more than once.
///
/// # Panics
/// Something is missing, was changed, or came too early.
pub fn check_arrivals<'a>(published: &[String], arrived: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let known: HashMap<&[u8], usize> = published.iter().enumerate().map(|(at, line)| (line.as_bytes(), at)).collect();
    let mut seen = vec![0_usize; published.len()];
    let mut versions: HashMap<String, u64> = HashMap::new();
    for body in arrived {
        let at = *known.get(body).unwrap_or_else(|| panic!("not an event: {}", String::from_utf8_lossy(body)));
        seen[at] += 1;
        if seen[at] > 1 {
            continue;
        }
        let event: Value = serde_json::from_slice(body).expect("an event is JSON");
        let order = event["partitionkey"].as_str().expect("a partitionkey").to_owned();
        let version = event["orderversion"].as_u64().expect("an orderversion");
        let last = versions.insert(order, version).unwrap_or(0);
        assert_eq!(version, last + 1, "an event came before one of an earlier version");
    }
    let missing: Vec<usize> = (0..seen.len()).filter(|at| seen[*at] == 0).collect();
    assert!(missing.is_empty(), "{} events are missing, the first is {}", missing.len(), published[missing[0]]);
    seen.iter().sum::<usize>() - published.len()
}
