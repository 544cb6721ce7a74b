//! Which calls fail.

use std::io;

use crate::rng::Rng;

/// A call to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Opening a file.
    Open,
    /// Creating a file.
    Create,
    /// Making a directory.
    CreateDir,
    /// Listing a directory.
    List,
    /// Giving another name.
    Rename,
    /// Removing a file.
    Remove,
    /// Syncing a directory.
    SyncDir,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Syncing a file.
    Sync,
    /// Reserving room.
    Allocate,
    /// Changing a length.
    SetLen,
    /// Asking for the length.
    Len,
}

impl Call {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Open,
        Self::Create,
        Self::CreateDir,
        Self::List,
        Self::Rename,
        Self::Remove,
        Self::SyncDir,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Allocate,
        Self::SetLen,
        Self::Len,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::CreateDir => "create_dir",
            Self::List => "list",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync_dir",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Allocate => "allocate",
            Self::SetLen => "set_len",
            Self::Len => "len",
        }
    }

    /// Whether it changes the disk, or what would be left of it after a power cut.
    #[must_use]
    pub const fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::List | Self::Read | Self::Len)
    }
}

/// How often calls fail, and what happens then.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Of 65,536 calls of each kind, how many fail with an I/O error.
    pub io: [u64; Call::COUNT],
    /// Of 65,536 writes, syncs and allocations, how many find no room whatever the capacity says.
    pub no_space: u64,
    /// The next call of this kind finds no room.
    pub next_lacks_room: Option<Call>,
    /// Whether a failed sync marks pages clean that the medium never got.
    pub clean_but_lost: bool,
    /// Whether asking to drop the cache has an effect.
    pub cache_hint_works: bool,
    /// Whether files can share their blocks.
    pub clones_files: bool,
    /// How many were injected, by kind of call.
    pub injected: [u64; Call::COUNT],
}

impl Faults {
    /// Nothing fails.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            io: [0; Call::COUNT],
            no_space: 0,
            next_lacks_room: None,
            clean_but_lost: false,
            cache_hint_works: true,
            clones_files: false,
            injected: [0; Call::COUNT],
        }
    }

    /// Sets `now` to these, and keeps its count of what was injected.
    pub fn clone_into_keeping(&self, now: &mut Self) {
        let injected = now.injected;
        *now = Self { injected, ..self.clone() };
    }

    /// Whether this call fails, and how.
    pub fn draw(&mut self, call: Call, rng: &mut Rng) -> Option<io::Error> {
        let may_lack_room = matches!(call, Call::Write | Call::Sync | Call::Allocate | Call::Create);
        let error = if self.next_lacks_room == Some(call) {
            self.next_lacks_room = None;
            no_space()
        } else if self.io[call as usize] > 0 && rng.chance(self.io[call as usize], 65_536) {
            io_error()
        } else if may_lack_room && self.no_space > 0 && rng.chance(self.no_space, 65_536) {
            no_space()
        } else {
            return None;
        };
        self.injected[call as usize] += 1;
        Some(error)
    }
}

/// EIO.
#[must_use]
pub fn io_error() -> io::Error {
    io::Error::from_raw_os_error(5)
}

/// ENOSPC.
#[must_use]
pub fn no_space() -> io::Error {
    io::Error::from_raw_os_error(28)
}

/// What a machine without power answers.
#[must_use]
pub fn power_off() -> io::Error {
    io::Error::other("the power is off")
}
