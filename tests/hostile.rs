//! Clients that mean harm, all at once, cost an honest client nothing but time, and the daemon no more memory than
//! its bound.
//!
//! `ORDERD_HOSTILE_MS` says for how long (default 4000), `ORDERD_SEED` repeats a run's choices.

mod attacks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::history::{Call, Outcome};
use crate::load::{Recorder, Rng, Task, Workers, count, seed};
use crate::support::{Client, DEADLINE, Daemon, Store, eventually, pause, poll};
use attacks::{ATTACKS, Attack, Target};

/// Time-outs short enough to be met, and room in the cap for the honest; all else as the defaults have it.
const CONFIG: &str = "
[server]
line_ms_max = 300
write_ms_max = 500
";

const HONEST: u64 = 3;

/// 128 MiB of unread answers and 256 buffers of 64 KiB are allowed by the configuration; the rest is the daemon's own.
const RSS_KB_MAX: u64 = 256 * 1024;

const REDELIVERED_MAX: u64 = 2000;

#[test]
fn hostile_clients_cost_the_honest_nothing() {
    let seed = seed("hostile");
    let mut rng = Rng::new(seed);
    let store = Store::with("", CONFIG);
    let mut daemon = Daemon::start(&store);
    let mut witness = Recorder::new(&store.sink(), REDELIVERED_MAX);
    let task = Task { clients: HONEST, bursts_max: u64::MAX, idle_us_max: 3000 };
    let crew = Workers::start(&task, &store.socket(), witness.clock(), &mut rng);
    // The honest are in before the door is blocked. A connection that waits to be accepted is not.
    let mut asker = Client::connect(&store);
    eventually(DEADLINE, "the honest clients are in", || asker.status()["connections"] == HONEST + 1);
    let sockets_before = open_sockets(&daemon).len();
    drop(asker);

    let over = Arc::new(AtomicBool::new(false));
    let start = |(number, attack): (u64, &'static Attack)| {
        let target = Target { socket: store.socket(), rng: rng.fork(number), over: Arc::clone(&over) };
        let act = attack.act;
        let thread = std::thread::Builder::new().name(attack.name.to_owned()).spawn(move || act(target));
        (attack.name, thread.expect("a thread"))
    };
    let attackers: Vec<_> = (0..).zip(ATTACKS).map(start).collect();
    pause(Duration::from_millis(count("ORDERD_HOSTILE_MS", 4000)));
    over.store(true, Ordering::SeqCst);
    for (name, attacker) in attackers {
        let times = attacker.join().unwrap_or_else(|_| panic!("the attack {name:?} found a weakness"));
        println!("{name}: {times} times");
        assert!(times > 0, "the attack {name:?} never happened");
    }

    let rss_kb = peak_rss_kb(&daemon);
    println!("at most {rss_kb} kB resident");
    assert!(rss_kb < RSS_KB_MAX, "{rss_kb} kB resident, {RSS_KB_MAX} allowed");
    assert!(daemon.is_running(), "{}", daemon.stderr());
    let given_back = poll(DEADLINE, || (open_sockets(&daemon).len() <= sockets_before).then_some(()));
    assert!(given_back.is_some(), "more than {sockets_before} sockets are kept: {:#?}", open_sockets(&daemon));
    assert_eq!(crew.connections(), HONEST, "no honest client was ever thrown out");
    let sighting = crew.settle();
    let unanswered = |call: &&Call| call.outcome == Outcome::Unknown;
    assert_eq!(sighting.calls.iter().filter(unanswered).count(), 0, "every honest command was answered");
    witness.heard(sighting);
    Client::connect(&store).status();
    let log = daemon.stderr();
    assert!(!log.contains("panicked"), "{log}");
    let summary = witness.conclude(&store, daemon);
    println!("the honest: {summary:?}");
    assert!(summary.done > 100, "the honest were served: {summary:?}");
}

/// The most memory the daemon ever held.
fn peak_rss_kb(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("the daemon's status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of kB")
}

/// Sockets alone: the relay opens and closes segments as it goes.
fn open_sockets(daemon: &Daemon) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("the daemon's files");
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    targets.map(|target| target.display().to_string()).filter(|target| target.starts_with("socket:")).collect()
}
