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

/// No workload here makes so many calls; a loop that reaches this is not ending.
const OCCURRENCES_MAX: u64 = 5_000;

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
    for syscall in ["fdatasync", "fsync", "pwrite64", "fallocate"] {
        for errno in ["EIO", "ENOSPC"] {
            for start in both {
                for_ever(syscall, errno, start);
            }
        }
    }
}

/// Lets the first, second, … call fail once, each in a store of its own.
fn every_occurrence(syscalls: &[&'static str], errnos: &[&'static str], starts: &[Start]) {
    strace::require();
    let seed = seed("os_faults");
    for syscall in syscalls {
        for errno in errnos {
            for start in starts {
                let number =
                    count(|when| run(Injection { syscall, errno, when, repeat: repeat_of(syscall) }, *start, seed));
                println!("{syscall} {errno} {start:?}: {number} failures, nothing lost");
            }
        }
    }
}

/// Room for a segment is asked for in several ways before the daemon takes no for an answer.
fn repeat_of(syscall: &str) -> Repeat {
    if syscall == "fallocate" { Repeat::Times(8) } else { Repeat::Times(1) }
}

/// Lets all calls from the first, second, fourth, … on fail.
fn for_ever(syscall: &'static str, errno: &'static str, start: Start) {
    let seed = seed("os_faults");
    let mut when = 1;
    while when < OCCURRENCES_MAX && run(Injection { syscall, errno, when, repeat: Repeat::ForEver }, start, seed) {
        when *= 2;
    }
}

/// How many runs in a row met a failure.
fn count(mut run: impl FnMut(u64) -> bool) -> u64 {
    let met = (1..OCCURRENCES_MAX).take_while(|when| run(*when)).count();
    u64::try_from(met).expect("a small number")
}

/// One run; true when it met its failure.
fn run(injection: Injection, start: Start, seed: u64) -> bool {
    let mut rng = Rng::new(seed ^ injection.when);
    Case { injection, start }.run(&mut rng)
}
