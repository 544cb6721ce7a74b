//! What must come of a failed system call.

use super::strace::Injection;

/// How the daemon must take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It ends with exit 74, at once: nothing after this call can be trusted.
    Ends,
    /// It goes on, and stops cleanly when it is told to.
    GoesOn,
    /// Either: what matters is that nothing is lost.
    Either,
}

/// What the failed call was made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Journal,
    /// A segment or a store that has not got its name yet: nothing is in it.
    Unfinished,
    Checkpoint,
    Cursor,
    /// The store's folders and its identity.
    Store,
    Sink,
    Socket,
    Elsewhere,
}

fn target(failure: &str) -> Target {
    let has = |part: &str| failure.contains(part);
    if has("store.tmp") || has(".wal.tmp") {
        Target::Unfinished
    } else if has(".ckpt") || has("/checkpoints") {
        Target::Checkpoint
    } else if has(".cursor") || has("/cursors") {
        Target::Cursor
    } else if has(".wal") || has("/journal") {
        Target::Journal
    } else if has("events.ndjson") {
        Target::Sink
    } else if has("socket:") || has("UNIX") {
        Target::Socket
    } else if has("/data") {
        Target::Store
    } else {
        Target::Elsewhere
    }
}

/// What the failure of this call, as strace wrote it, must lead to. `ready` says that commands were already answered.
pub fn expect(injection: &Injection, failure: &str, ready: bool) -> Expect {
    let target = target(failure);
    let no_room = matches!(injection.errno, "ENOSPC" | "EDQUOT");
    if injection.errno == "EINTR" {
        // Nothing failed: the call is made again.
        return if matches!(injection.syscall, "fdatasync" | "fsync") { Expect::Either } else { Expect::GoesOn };
    }
    match injection.syscall {
        // A failed sync is never tried again, whatever it says.
        "fdatasync" | "fsync" => match target {
            Target::Journal | Target::Cursor | Target::Store | Target::Unfinished => Expect::Ends,
            // At a start nothing is passed over.
            Target::Checkpoint if !ready => Expect::Either,
            Target::Sink | Target::Checkpoint => Expect::GoesOn,
            Target::Socket | Target::Elsewhere => Expect::Either,
        },
        "pwrite64" | "write" => match target {
            Target::Journal if !no_room => Expect::Ends,
            // A start writes the last batch back where it is. Where even that finds no room it cannot go on.
            Target::Journal if !ready => Expect::Either,
            // A new segment waits for room; any other failure of the disk ends the daemon.
            Target::Unfinished if ready && no_room => Expect::GoesOn,
            Target::Journal | Target::Sink | Target::Checkpoint | Target::Socket => Expect::GoesOn,
            Target::Unfinished | Target::Cursor | Target::Store | Target::Elsewhere => Expect::Either,
        },
        "fallocate" if no_room && ready => Expect::GoesOn,
        "pread64" => match target {
            Target::Journal | Target::Cursor | Target::Store if !ready => Expect::Ends,
            _ => Expect::Either,
        },
        "accept4" | "sendto" | "recvfrom" if ready => Expect::GoesOn,
        "unlink" | "unlinkat" if ready => Expect::GoesOn,
        _ => Expect::Either,
    }
}
