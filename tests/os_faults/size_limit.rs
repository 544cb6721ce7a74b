//! A limit on the size of files: the one way to real short writes, of which the first part is there.

use std::process::Command;

use super::case::{REDELIVERED_MAX, SMALL, TASK};
use crate::load::{Recorder, Rng, Workers, seed};
use crate::support::{Client, DEADLINE, Daemon, Store, eventually};

/// Less than a segment, and less than the sink gets.
const FILE_BLOCKS_MAX: u64 = 160;

#[test]
fn a_limit_on_file_sizes_stops_the_sink_alone_and_loses_nothing() {
    let mut rng = Rng::new(seed("size_limit"));
    let store = Store::with("", SMALL);
    let mut witness = Recorder::new(&store.sink(), REDELIVERED_MAX);
    witness.sink_failed();
    let plain = Daemon::command(&store);
    let mut limited = Command::new("sh");
    limited.arg("-c").arg(format!("ulimit -f {FILE_BLOCKS_MAX}; exec \"$0\" \"$@\""));
    limited.arg(plain.get_program()).args(plain.get_args());
    let mut daemon = Daemon::spawn_command(&store, &mut limited);
    daemon.wait_ready(&store);
    let crew = Workers::start(&TASK, &store.socket(), witness.clock(), &mut rng);
    eventually(DEADLINE, "every command is answered", || crew.is_resting());
    eventually(DEADLINE, "the sink has met the limit", || {
        Client::connect(&store).status()["sinks"][0]["state"] == "retrying"
    });
    assert!(daemon.is_running(), "{}", daemon.stderr());
    daemon.kill9();
    witness.died();
    let daemon = Daemon::start(&store);
    witness.heard(crew.settle());
    let summary = witness.conclude(&store, daemon);
    println!("{summary:?}");
}
