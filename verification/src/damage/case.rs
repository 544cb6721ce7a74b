//! One case: which store, which file, what is done to it, and where.

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One bit is turned over.
    Bit,
    /// It ends too early.
    Cut,
    /// It has more bytes behind its end.
    Longer,
    /// A sector is zeros.
    SectorZero,
    /// A sector is ones.
    SectorOnes,
    /// A sector is anything.
    SectorRandom,
    /// Two neighbouring sectors have changed places.
    SectorSwapped,
    /// A sector has changed places with the same one of a sibling.
    SectorMisplaced,
    /// A sector is there twice: where it belongs, and over the next one.
    SectorRepeated,
    /// It is not there.
    Missing,
    /// There is nothing in it.
    Empty,
    /// It is as it once was.
    Earlier,
    /// It holds what a sibling holds.
    Sibling,
    /// It is not there, and neither is another one.
    TwoMissing,
    /// A file that was deleted is there again.
    Returned,
    /// A later orderd wrote it.
    LaterFormat,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 16] = [
        Self::Bit,
        Self::Cut,
        Self::Longer,
        Self::SectorZero,
        Self::SectorOnes,
        Self::SectorRandom,
        Self::SectorSwapped,
        Self::SectorMisplaced,
        Self::SectorRepeated,
        Self::Missing,
        Self::Empty,
        Self::Earlier,
        Self::Sibling,
        Self::TwoMissing,
        Self::Returned,
        Self::LaterFormat,
    ];

    /// Whether nearly all cases are of such a kind.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Bit | Self::Cut)
    }

    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Bit => "a bit turned over",
            Self::Cut => "cut short",
            Self::Longer => "bytes behind the end",
            Self::SectorZero => "a sector of zeros",
            Self::SectorOnes => "a sector of ones",
            Self::SectorRandom => "a sector of anything",
            Self::SectorSwapped => "two sectors swapped",
            Self::SectorMisplaced => "a sector swapped with a sibling's",
            Self::SectorRepeated => "a sector over the next",
            Self::Missing => "a file missing",
            Self::Empty => "a file empty",
            Self::Earlier => "a file as it once was",
            Self::Sibling => "a sibling's contents",
            Self::TwoMissing => "two files missing",
            Self::Returned => "a deleted file back",
            Self::LaterFormat => "a later format",
        }
    }
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Its number.
    pub number: u64,
    /// Which form of the store.
    pub store: usize,
    /// What is done.
    pub kind: Kind,
    /// To which file; of those that were deleted, for [`Kind::Returned`].
    pub file: usize,
    /// Where, or which: counted from zero.
    pub index: u64,
}
