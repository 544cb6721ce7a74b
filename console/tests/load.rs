//! The console of a daemon that has work, in a crowd.

use crate::limits::{bound, hold_slow_connections, slowest_of_most};
use crate::metrics::promtool;
use crate::support::console::Console;
use crate::support::eventually;
use crate::support::real_daemon::Daemon;

const COMMANDS_PER_SECOND: u32 = 1_000;

#[test]
fn a_thousand_slow_connections_leave_a_busy_daemons_metrics_clean_and_quick() {
    let daemon = Daemon::start();
    let console = Console::start(&daemon.socket(), &[]);
    eventually("it is ready", || (console.get("/readyz").code == 200).then_some(()));
    let _load = daemon.load(COMMANDS_PER_SECOND);
    let commands = || -> Option<u64> { console.get("/api/v1/status").json()["commands_total"].as_u64() };
    eventually("the load began", || commands().filter(|commands| *commands > 1_000));
    let alone = slowest_of_most(&console);
    let slow = hold_slow_connections(&console);
    let crowded = slowest_of_most(&console);
    println!("/metrics: {alone:?} alone, {crowded:?} beside {} slow connections", slow.len());
    assert!(crowded < bound(alone), "{crowded:?} beside them, {alone:?} before");
    let before = commands();
    eventually("commands go on", || (commands() > before).then_some(()));
    let metrics = console.get("/metrics").body;
    promtool(&["check", "metrics"], &metrics).unwrap_or_else(|said| panic!("{said}\n{metrics}"));
    drop(slow);
}
