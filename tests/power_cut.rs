//! The power is cut, as far as a kernel can do it: an ext4 on a loop device is shut down under the daemon.
//!
//! After the ioctl nothing reaches the disk any more, and what was only in the page cache is gone. One kind drops the
//! file system's own journal too, the other still writes it, so that names may survive without their contents.
//! `ORDERD_POWER_CUTS` says how often (default 6), `ORDERD_SEED` repeats a run's choices. Needs root, loop devices,
//! e2fsprogs and perl.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::load::{Recorder, Rng, Summary, count, seed};
use crate::support::{DEADLINE, Daemon, Mount, Store, eventually, must, pause, require_root, run};

/// Cuts of one file system before the next is made.
const CUTS_A_STORE: u64 = 25;

const DISK_BYTES: u64 = 96 << 20;

const REDELIVERED_MAX: u64 = 100;

/// Where the sink's file is: on the disk that is cut, or on one that is not.
#[derive(Clone, Copy, Debug)]
enum Sink {
    Cut,
    Kept,
}

#[test]
fn power_cuts_lose_nothing_that_was_answered() {
    require_root();
    let seed = seed("power_cut");
    let cuts = count("ORDERD_POWER_CUTS", 6);
    let mut rng = Rng::new(seed);
    let mut done = 0;
    let mut sink = Sink::Kept;
    while done < cuts {
        let number = CUTS_A_STORE.min(cuts - done).min(cuts.div_ceil(2));
        let summary = cut_one_store(number, sink, &mut rng.fork(done));
        println!("cuts {done} to {}, sink {sink:?}: {summary:?}", done + number);
        done += number;
        sink = match sink {
            Sink::Kept => Sink::Cut,
            Sink::Cut => Sink::Kept,
        };
    }
}

fn cut_one_store(cuts: u64, sink: Sink, rng: &mut Rng) -> Summary {
    let file = match sink {
        Sink::Cut => "disk/events.ndjson",
        Sink::Kept => "events.ndjson",
    };
    let store = Store::raw(&config(file));
    let (image, point) = (store.path("image"), store.path("disk"));
    let mut disk = Mount::new_ext4(&image, &point, DISK_BYTES);
    let mut witness = Recorder::new(&store.path(file), REDELIVERED_MAX);
    let crew = witness.crew(4, &store.socket(), rng);
    for _ in 0..cuts {
        let mut daemon = Daemon::spawn(&store);
        if rng.chance(85) {
            daemon.wait_ready(&store);
            witness.dump_news(&store);
            pause(Duration::from_micros(rng.below(150_000)));
        } else {
            // During the start; the first one cuts into the making of the store.
            pause(Duration::from_micros(rng.below(40_000)));
        }
        // A power cut stops the processor with the disk. Here it must stop first: an fdatasync that is under way when
        // the ioctl comes may return 0 for what is lost (Linux 6.18; any program that writes into preallocated room
        // sees it), and after a power cut nobody would be there to hear that.
        freeze(&daemon);
        cut(&point, 1 + rng.below(2));
        daemon.kill9();
        if matches!(sink, Sink::Kept) {
            // What a sink saw in time must be in the journal that comes back.
            witness.read_sink();
        }
        disk.unmount();
        check_disk(&image);
        disk = Mount::ext4(&image, &point);
        witness.died();
    }
    let daemon = Daemon::start(&store);
    witness.dump_news(&store);
    witness.heard(crew.settle());
    let summary = witness.conclude(&store, daemon);
    disk.unmount();
    summary
}

fn config(sink: &str) -> String {
    format!(
        "[daemon]\ndata_dir = \"disk/data\"\nsocket = \"s\"\n\n\
         [executor]\nbatch_bytes_max = 16384\n\n\
         [journal]\nsegment_bytes = 65536\nretain_bytes = 8388608\n\n\
         [checkpoint]\nplans = 500\n\n\
         [relay]\nbatch_events_max = 50\ncursor_events_max = 50\n\n\
         [[sinks]]\nname = \"events\"\ntype = \"file\"\npath = \"{sink}\"\n"
    )
}

/// Stops every thread of the daemon: where it runs, or as soon as the system call that it is in returns.
fn freeze(daemon: &Daemon) {
    daemon.signal(Signal::STOP);
    eventually(DEADLINE, "the daemon stands still", || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("the daemon's threads");
        threads.filter_map(Result::ok).all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            matches!(state, Some('T' | 'D' | 'Z' | 'X') | None)
        })
    });
}

/// EXT4_IOC_SHUTDOWN. Flag 1 still writes the file system's journal, flag 2 drops it.
fn cut(point: &Path, flag: u64) {
    let script = "open(my $d, '<', $ARGV[0]) or die \"open: $!\"; \
                  ioctl($d, 0x8004587d, pack('L', $ARGV[1])) or die \"ioctl: $!\"";
    must("perl", &["-e", script, point.to_str().expect("a plain path"), &flag.to_string()]);
}

/// Replays the file system's journal; more than that is not needed after a cut.
fn check_disk(image: &Path) {
    let output = run("e2fsck", &["-p", image.to_str().expect("a plain path")]);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "e2fsck: {code:?} {}", String::from_utf8_lossy(&output.stdout));
}
