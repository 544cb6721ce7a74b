//! What may come of damage.

/// What came of a case, if nothing is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing was changed, so nothing was tried.
    Unchanged,
    /// Everything is there and every sink gets everything.
    Same,
    /// The same, and a torn tail was reported and cut that held no plan.
    TornTail,
    /// The same, from the older checkpoint.
    OlderCheckpoint,
    /// The same, and the events of one save of a cursor come again.
    OlderSlot,
    /// The same, and a cursor that was put back has the events since then come again.
    CursorPutBack,
    /// The same, and a cursor that is gone makes its sink a new one.
    NewSink,
    /// The same, but for plans that neither the state nor a sink needs any more, and `verify` says so.
    Unneeded,
    /// The start is refused, with file and offset, and every byte left.
    Refused,
    /// The same state; then a worker names the damage, having skipped nothing, and `verify` names it, too.
    RelayRefused,
    /// Refused as written by a newer version.
    Version,
    /// Refused as damage, and `verify` says that a newer version wrote it.
    VersionAsDamage,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Unchanged,
        Self::Same,
        Self::TornTail,
        Self::OlderCheckpoint,
        Self::OlderSlot,
        Self::CursorPutBack,
        Self::NewSink,
        Self::Unneeded,
        Self::Refused,
        Self::RelayRefused,
        Self::Version,
        Self::VersionAsDamage,
    ];

    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Unchanged => "no byte changed",
            Self::Same => "same state",
            Self::TornTail => "torn tail cut",
            Self::OlderCheckpoint => "older checkpoint used",
            Self::OlderSlot => "older cursor slot used",
            Self::CursorPutBack => "cursor put back",
            Self::NewSink => "a new sink",
            Self::Unneeded => "in what nobody needs",
            Self::Refused => "refused",
            Self::RelayRefused => "relay refused",
            Self::Version => "version refused",
            Self::VersionAsDamage => "version refused as damage",
        }
    }
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What the daemon made of it.
    pub outcome: Outcome,
    /// Whether `verify` said that something is wrong or cut off.
    pub told: bool,
}
