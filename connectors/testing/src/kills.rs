//! Kills of everybody, under load.

use std::thread;

use crate::arrivals::check_arrivals;
use crate::fake_daemon::FakeDaemon;
use crate::real_daemon::RealDaemon;
use crate::target::Target;
use crate::wait::eventually;

/// How often a test kills each process: `ORDERD_TEST_KILLS`, or `default`.
#[must_use]
pub fn kills(default: usize) -> usize {
    std::env::var("ORDERD_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(default)
}

/// Kills connector, server and the scripted daemon by turns, `kills` times each, while events are on their way. Nothing is
/// lost and first arrivals keep the order of versions. Returns how many events arrived twice.
///
/// # Panics
/// Something was lost, changed, or came too early.
pub fn kill_with_scripted_daemon<T: Target>(target: &mut T, more: &str, kills: usize) -> usize {
    const ORDERS: u64 = 100;
    let mut daemon = FakeDaemon::start();
    let mut connector = target.connector(&daemon, more);
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
                connector.kill();
                eventually("the connection to end", || (!daemon.is_attached()).then_some(()));
                connector = target.connector(&daemon, more);
            }
            1 => target.kill(),
            _ => {
                daemon.go_away();
                daemon.come_back();
            }
        }
    }
    daemon.wait_delivered(published.len());
    assert_eq!(daemon.delivered().len(), published.len(), "every event is delivered once, as the daemon counts");
    assert!(connector.stop().success());
    report(kills, published.len(), check_arrivals(&published, &target.stored()))
}

/// The same with the real daemon: what arrives are the lines of its file.
///
/// # Panics
/// Something was lost, changed, parked, or came too early.
pub fn kill_with_real_daemon<T: Target>(target: &mut T, more: &str, kills: usize) -> usize {
    const ORDERS: u64 = 60;
    let mut daemon = RealDaemon::start("");
    let mut connector = target.connector(&daemon, more);
    for round in 0..3 * kills {
        if round % 3 == 2 {
            daemon.work(ORDERS);
            daemon.kill();
            daemon.come_back();
            continue;
        }
        thread::scope(|scope| {
            scope.spawn(|| daemon.work(ORDERS));
            if round % 3 == 0 {
                connector.kill();
                connector = target.connector(&daemon, more);
            } else {
                target.kill();
            }
        });
    }
    let lines = daemon.wait_settled();
    let sink = daemon.sink();
    assert_eq!(sink["parked_lanes"], 0, "{sink}");
    assert!(connector.stop().success());
    report(kills, lines.len(), check_arrivals(&lines, &target.stored()))
}

fn report(kills: usize, events: usize, twice: usize) -> usize {
    println!("{kills} kills of each: {events} events, {twice} of them twice");
    twice
}
