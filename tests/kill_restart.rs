//! SIGKILL at random moments loses nothing, repeats nothing, and needs no hand to start again.
//!
//! `ORDERD_KILLS` says how often (default 100), `ORDERD_SEED` repeats a run's choices.

use std::time::{Duration, Instant};

use crate::load::{Recorder, Rng, Summary, count, seed};
use crate::support::{Client, DEADLINE, Daemon, Store, eventually, pause};

/// Kills in one store before the next is begun: its dumps and its history stay small enough to judge.
const KILLS_A_STORE: u64 = 100;

const CLIENTS: u64 = 8;

/// How long a daemon may take to be ready after a kill, on a busy machine.
const READY_MAX: Duration = Duration::from_secs(10);

/// Small enough that every few lives rotate, checkpoint, delete what is old and move the cursor. What is kept is more
/// than a life can write between two dumps.
const SMALL: &str = "
[executor]
batch_bytes_max = 16384

[journal]
segment_bytes = 65536
retain_bytes = 8388608

[checkpoint]
plans = 500

[relay]
batch_events_max = 50
cursor_events_max = 50
";

/// A batch in flight and what the cursor had not recorded.
const REDELIVERED_MAX: u64 = 100;

#[test]
fn kills_at_random_moments_lose_nothing() {
    let seed = seed("kill_restart");
    let kills = count("ORDERD_KILLS", 100);
    let mut rng = Rng::new(seed);
    let mut done = 0;
    let mut total = Summary::default();
    while done < kills {
        let number = KILLS_A_STORE.min(kills - done);
        let summary = kill_one_store(number, &mut rng.fork(done));
        println!("kills {done} to {}: {summary:?}", done + number);
        done += number;
        total = total.plus(&summary);
    }
    // A run that met none of this would have proved nothing.
    assert!(total.done > 0, "commands are done: {total:?}");
    assert!(total.unknown > 0, "kills leave commands unanswered: {total:?}");
    assert!(total.duplicates > 0, "commands are sent again: {total:?}");
    assert!(total.refused > 0, "commands are refused: {total:?}");
}

fn kill_one_store(kills: u64, rng: &mut Rng) -> Summary {
    let store = Store::with("", SMALL);
    let mut witness = Recorder::new(&store.sink(), REDELIVERED_MAX);
    let crew = witness.crew(CLIENTS, &store.socket(), rng);
    for _ in 0..kills {
        let mut daemon = Daemon::spawn(&store);
        if rng.chance(10) {
            // During the start, wherever it is by then.
            pause(Duration::from_micros(rng.below(30_000)));
        } else {
            wait_ready(&mut daemon, &store);
            if rng.chance(20) {
                witness.dump_news(&store);
            }
            // One in ten lives long enough for everything that is done from time to time.
            let life_us_max = if rng.chance(10) { 600_000 } else { 60_000 };
            pause(Duration::from_micros(rng.below(life_us_max)));
        }
        assert!(daemon.is_running(), "nothing but the kill ends it: {}", daemon.stderr());
        daemon.kill9();
        witness.died();
    }
    let mut daemon = Daemon::spawn(&store);
    wait_ready(&mut daemon, &store);
    witness.dump_news(&store);
    witness.heard(crew.settle());
    if kills >= KILLS_A_STORE {
        // Lives may all have been too short for a checkpoint; the last one is not.
        eventually(DEADLINE, "a checkpoint is written", || {
            Client::connect(&store).status()["journal"]["checkpoint_lsn"].as_u64() > Some(0)
        });
    }
    let status = Client::connect(&store).status();
    println!("the journal in the end: {}", status["journal"]);
    if kills >= KILLS_A_STORE {
        assert!(status["journal"]["segments"].as_u64() > Some(1), "segments follow each other: {status}");
    }
    witness.conclude(&store, daemon)
}

fn wait_ready(daemon: &mut Daemon, store: &Store) {
    let start = Instant::now();
    daemon.wait_ready(store);
    let took = start.elapsed();
    assert!(took < READY_MAX, "ready again only after {took:?}");
}
