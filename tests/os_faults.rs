//! System calls that fail, one after the other, in the real binary: what was answered stays, what must not go on ends.
//!
//! strace lets the n-th call fail, n = 1, 2, … until a run meets no failure any more. The failed call is not made, so
//! this tests how a failure is handled, not what a disk loses by it; power cuts and the simulation do that.
//!
//! The short set runs by default. `ORDERD_FAULTS=full` takes every call and errno, in a new store and in one that has
//! to be recovered, failing once and failing for ever. `ORDERD_SEED` repeats a run's commands.

mod case;
mod expect;
mod size_limit;
mod strace;

use case::{Case, Start};
use strace::{Injection, Repeat};

use crate::load::{Rng, seed};

/// No workload here makes this many calls; a loop that reaches this is not ending.
const OCCURRENCES_MAX: u64 = 5_000;

/// Up to here each occurrence fails in turn.
const EACH_UP_TO: u64 = 80;

/// After this many failures that were taken wrongly the next call is looked at.
const WRONG_MAX: u64 = 3;

#[test]
fn a_failed_fdatasync_ends_the_daemon_and_loses_nothing() {
    every_occurrence(&["fdatasync"], &["EIO"], &[Start::New]);
}

#[test]
fn a_failed_fsync_ends_the_daemon_and_loses_nothing() {
    every_occurrence(&["fsync"], &["EIO"], &[Start::New, Start::Recover]);
}

#[test]
fn a_failed_write_to_the_journal_ends_the_daemon_and_loses_nothing() {
    every_occurrence(&["pwrite64"], &["EIO"], &[Start::New]);
}

#[test]
fn a_write_that_finds_no_room_is_refused_and_the_daemon_goes_on() {
    every_occurrence(&["pwrite64"], &["ENOSPC"], &[Start::New]);
}

#[test]
fn a_segment_that_finds_no_room_is_refused_and_the_daemon_goes_on() {
    every_occurrence(&["fallocate"], &["ENOSPC"], &[Start::New, Start::Recover]);
}

#[test]
fn an_interrupted_write_is_not_seen() {
    strace::require();
    let seed = seed("os_faults");
    // The full set goes on to the last one.
    for when in 1..=8 {
        let repeat = Repeat::Times(1);
        let met = run(Injection { syscall: "pwrite64", errno: "EINTR", when, repeat }, Start::New, seed);
        assert!(met, "write {when} was made");
    }
}

#[test]
fn a_failed_read_at_recovery_leaves_the_store_as_it_was() {
    every_occurrence(&["pread64"], &["EIO"], &[Start::Recover]);
}

#[test]
fn all_calls_and_errors() {
    if std::env::var("ORDERD_FAULTS").as_deref() != Ok("full") {
        println!("the short set runs in the tests beside this one; ORDERD_FAULTS=full runs all");
        return;
    }
    let both = [Start::New, Start::Recover];
    let disk = ["fdatasync", "fsync", "pwrite64", "fallocate", "ftruncate"];
    every_occurrence(&disk, &["EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR"], &both);
    every_occurrence(&["write", "pread64", "read", "getdents64"], &["EIO", "EINTR"], &both);
    every_occurrence(&["openat"], &["EIO", "ENOSPC", "EMFILE", "EROFS"], &both);
    every_occurrence(&["rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat"], &["EIO"], &both);
    every_occurrence(&["flock"], &["EIO", "EINTR"], &both);
    every_occurrence(&["accept4"], &["EMFILE", "ENFILE", "ECONNABORTED", "EINTR"], &both);
    every_occurrence(&["sendto", "recvfrom"], &["EIO", "EINTR", "ECONNRESET"], &both);
}

#[test]
fn calls_that_fail_for_ever() {
    strace::require();
    let seed = seed("os_faults");
    let is_full = std::env::var("ORDERD_FAULTS").as_deref() == Ok("full");
    let syscalls: &[&'static str] =
        if is_full { &["fdatasync", "fsync", "pwrite64", "fallocate"] } else { &["fallocate"] };
    for syscall in syscalls {
        for errno in ["EIO", "ENOSPC"] {
            let mut when = 1;
            while when < OCCURRENCES_MAX {
                let injection = Injection { syscall, errno, when, repeat: Repeat::ForEver };
                if !run(injection, Start::New, seed) {
                    break;
                }
                when *= 2;
            }
        }
    }
}

/// Lets the first, second, … call fail, each in a store of its own. What goes wrong is told when all has run.
fn every_occurrence(syscalls: &[&'static str], errnos: &[&'static str], starts: &[Start]) {
    strace::require();
    let seed = seed("os_faults");
    let mut wrong = 0;
    for syscall in syscalls {
        for errno in errnos {
            for start in starts {
                let (met, wrong_here) = each_until_clean(syscall, errno, *start, seed);
                println!("{syscall} {errno} {start:?}: {met} failures, {wrong_here} taken wrongly");
                wrong += wrong_here;
            }
        }
    }
    assert_eq!(wrong, 0, "failures that were taken wrongly; each is told above");
}

/// How many failures were met until a run met none, and how many of them were taken wrongly.
fn each_until_clean(syscall: &'static str, errno: &'static str, start: Start, seed: u64) -> (u64, u64) {
    let (mut met, mut wrong) = (0, 0);
    let mut when = 1;
    while when < OCCURRENCES_MAX && wrong < WRONG_MAX {
        let injection = Injection { syscall, errno, when, repeat: repeat_of(syscall) };
        match std::panic::catch_unwind(|| run(injection, start, seed)) {
            Ok(false) => break,
            Ok(true) => met += 1,
            Err(_) => wrong += 1,
        }
        // Behind the first, only some: reads and writes of sockets go into the hundreds.
        when = if when < EACH_UP_TO { when + 1 } else { when + when / 4 };
    }
    (met, wrong)
}

/// Room for a segment is asked for in several ways before the daemon takes no for an answer.
fn repeat_of(syscall: &str) -> Repeat {
    if syscall == "fallocate" { Repeat::Times(8) } else { Repeat::Times(1) }
}

/// One run; true when it met its failure.
fn run(injection: Injection, start: Start, seed: u64) -> bool {
    let mut rng = Rng::new(seed ^ injection.when);
    Case { injection, start }.run(&mut rng)
}
