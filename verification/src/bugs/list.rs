//! The bugs, by what they do.

/// A deliberate bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A batch is not synced.
    NoSyncOfBatches,
    /// A new segment is not synced before it gets its name.
    NoSyncOfNewSegments,
    /// What recovery writes back of the last batch is neither written nor synced.
    NoWriteBack,
    /// A new cursor is not synced before it gets its name.
    NoSyncOfNewCursors,
    /// A cursor's save is not synced.
    NoSyncOfCursors,
    /// A checkpoint is not synced before it gets its name.
    NoSyncOfCheckpoints,
    /// The identity and the first segment of a new store are not synced.
    NoSyncOfNewStores,
    /// The data directory is not synced after the store got its name.
    NoDirSyncOfStoreName,
    /// The directories of a new store are not synced before it gets its name.
    NoDirSyncOfNewStores,
    /// The journal's directory is not synced.
    NoDirSyncOfJournal,
    /// The checkpoints' directory is not synced.
    NoDirSyncOfCheckpoints,
    /// The cursors' directory is not synced.
    NoDirSyncOfCursors,
    /// A failed sync counts as done.
    FailedSyncsIgnored,
    /// A failed sync is tried again until it succeeds.
    FailedSyncsRetried,
    /// A failed sync of a directory counts as done.
    FailedDirSyncsIgnored,
    /// A failed write counts as done.
    FailedWritesIgnored,
    /// A write that found no room for all of it counts as whole.
    ShortWritesIgnored,
    /// A read that fails is the end of the file.
    FailedReadsAreEnds,
    /// A file that cannot be opened is none.
    FailedOpensAreMissing,
    /// A directory that cannot be listed is empty.
    FailedListsAreEmpty,
    /// A file is cut or extended in name only.
    LengthsNotSet,
    /// A batch goes to the disk when the next one is synced.
    SyncsOneBehind,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::NoSyncOfBatches,
        Self::NoSyncOfNewSegments,
        Self::NoWriteBack,
        Self::NoSyncOfNewCursors,
        Self::NoSyncOfCursors,
        Self::NoSyncOfCheckpoints,
        Self::NoSyncOfNewStores,
        Self::NoDirSyncOfStoreName,
        Self::NoDirSyncOfNewStores,
        Self::NoDirSyncOfJournal,
        Self::NoDirSyncOfCheckpoints,
        Self::NoDirSyncOfCursors,
        Self::FailedSyncsIgnored,
        Self::FailedSyncsRetried,
        Self::FailedDirSyncsIgnored,
        Self::FailedWritesIgnored,
        Self::ShortWritesIgnored,
        Self::FailedReadsAreEnds,
        Self::FailedOpensAreMissing,
        Self::FailedListsAreEmpty,
        Self::LengthsNotSet,
        Self::SyncsOneBehind,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The bug of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }
}
