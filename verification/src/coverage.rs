//! What a simulation must have seen sometimes: a fault that never comes proves nothing.

use std::fmt;

macro_rules! marks {
    ($($(#[doc = $doc:literal])* $name:ident,)+) => {
        /// Something that happens sometimes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mark {
            $($(#[doc = $doc])* $name,)+
        }

        impl Mark {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What it says.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc,)*),)+
                }
            }
        }
    };
}

marks! {
    /// a command was answered with a result
    Answered,
    /// a command was answered as a duplicate
    Duplicate,
    /// a command was answered as a duplicate of one from before a crash
    DuplicateAcrossCrash,
    /// a command id was refused for other content
    Conflict,
    /// a command id was forgotten
    Forgotten,
    /// an unanswered plan was there after a crash
    UnansweredKept,
    /// an unanswered plan was gone after a crash
    UnansweredLost,
    /// a part of a batch was there after a crash
    BatchKeptInPart,
    /// the power was cut
    PowerCut,
    /// the process was killed
    Killed,
    /// the power was cut while a recovery was under way
    CutInRecovery,
    /// the power was cut while a store was being made
    CutInCreation,
    /// the power was cut while a checkpoint was being written
    CutInCheckpoint,
    /// the power was cut while files were being deleted
    CutInRetention,
    /// the power was cut while a cursor was being saved
    CutInCursorSave,
    /// the power was cut while a batch was being committed
    CutInCommit,
    /// the power was cut while a segment was made ahead, or begun
    CutInPreparation,
    /// the power was cut while a journal was being closed
    CutInClose,
    /// the power was cut while a sink was at work
    CutInDelivery,
    /// a cut left sectors torn
    Torn,
    /// a cut left bytes that nobody wrote there
    Noise,
    /// a cut took back a change of a directory
    EntryLost,
    /// a cut left a change of a directory that was not synced
    EntryKept,
    /// a cut took back the change of a length
    LengthLost,
    /// a recovery found a torn tail
    TornTail,
    /// a recovery found a sealed journal
    Sealed,
    /// a recovery started from a checkpoint
    FromCheckpoint,
    /// a recovery found the last segment under the name that it was made ahead with
    FoundUnnamed,
    /// a recovery found a cursor with one unreadable slot
    CursorSlotTorn,
    /// a recovery was refused for an I/O error
    RecoveryFailed,
    /// a store was opened without room for a new segment
    OpenedFull,
    /// a sync failed
    SyncFailed,
    /// a write failed
    WriteFailed,
    /// pages that a failed sync lost were seen until the cache was dropped
    LostPages,
    /// the journal changed to a new segment
    Rotated,
    /// the journal changed to a new segment between two parts of one batch
    RotatedWithin,
    /// a command was refused because there is no room
    Full,
    /// the disk itself was full
    DiskFull,
    /// there was room again
    Resumed,
    /// a checkpoint was written
    Checkpoint,
    /// commands went on while a checkpoint was written
    CheckpointWhileBusy,
    /// a checkpoint could not be written
    CheckpointFailed,
    /// segments were deleted
    SegmentsDeleted,
    /// a slow sink held segments back
    HeldBack,
    /// events were delivered again after a restart
    Redelivered,
    /// a sink failed
    SinkFailed,
    /// a sink took a part and failed
    SinkTookPart,
    /// a sink was added to a store that had events
    SinkAdded,
    /// a new sink was recorded when there was room again
    RegisteredLate,
    /// a start had orders of a snapshot to deliver
    Snapshot,
    /// a start went on in the midst of a snapshot
    SnapshotResumed,
    /// an order had changed while its snapshot waited
    SnapshotOfThePast,
    /// events were relayed while a batch was being synced
    RelayedWhileSyncing,
    /// a worker ended because its cursor could not be synced
    CursorSyncFailed,
    /// the daemon was stopped and had everything saved
    Stopped,
    /// the wall clock went back
    ClockBack,
    /// a damaged checkpoint was passed over
    DamagedCheckpoint,
    /// damage was found and the start refused
    DamageRefused,
    /// damage below the checkpoint was met by a relay, which named it
    BacklogDamaged,
    /// damage did no harm
    DamageHarmless,
    /// damage to the last batch alone, which nothing later proves, took it for torn
    DamageUnproven,
    /// a backup was made, restored and held to the history
    BackedUp,
    /// commands, retention and relay went on while a backup was made
    BackedUpWhileBusy,
    /// a backup was killed before it was done
    BackupKilled,
    /// a backup failed
    BackupFailed,
    /// a backup found no room
    BackupFull,
    /// a crash left an unfinished backup, which was refused
    BackupUnfinished,
    /// a backup took the place of an unfinished one
    BackupReplaced,
    /// the power was cut while a backup was being made
    CutInBackup,
    /// a restore was killed before it was done, and made again
    RestoreKilled,
    /// recovering twice was compared
    RecoveredTwice,
}

/// How often each was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    counts: Vec<u64>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { counts: vec![0; Mark::ALL.len()] }
    }
}

impl Coverage {
    /// It was seen.
    pub fn hit(&mut self, mark: Mark) {
        self.add(mark, 1);
    }

    /// It was seen if `seen`.
    pub fn hit_if(&mut self, mark: Mark, seen: bool) {
        self.add(mark, u64::from(seen));
    }

    /// It was seen so often.
    pub fn add(&mut self, mark: Mark, count: u64) {
        self.counts[mark as usize] += count;
    }

    /// How often it was seen.
    #[must_use]
    pub fn count(&self, mark: Mark) -> u64 {
        self.counts[mark as usize]
    }

    /// Takes in what another run has seen.
    pub fn join(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// What was never seen.
    #[must_use]
    pub fn never(&self) -> Vec<Mark> {
        Mark::ALL.iter().copied().filter(|mark| self.count(*mark) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mark in Mark::ALL {
            writeln!(f, "{:>12}  {}", self.count(*mark), mark.text().trim())?;
        }
        Ok(())
    }
}
