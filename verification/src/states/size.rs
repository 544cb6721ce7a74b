//! How much is enumerated.

/// The bounds where everything would be too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of this many parts, all subsets.
    pub all_subsets_of: usize,
    /// Of more, this many at random, besides those with few missing or few there.
    pub subsets: u64,
    /// While one of this many parts is torn, all subsets of the others.
    pub all_others_of: usize,
    /// Of more, this many at random, besides all, none and those before it.
    pub others: u64,
    /// A sector is torn at every multiple of this many bytes,
    pub grain: usize,
    /// and at this many other places.
    pub cuts: u64,
    /// So often there is something else where nothing was written before.
    pub noises: u64,
    /// One in this many recoveries is interrupted, at every call.
    pub second_every: u64,
}

impl Size {
    /// For every change of the code.
    pub const SMALL: Self = Self {
        all_subsets_of: 10,
        subsets: 100,
        all_others_of: 3,
        others: 1,
        grain: 32,
        cuts: 1,
        noises: 4,
        second_every: 8,
    };

    /// For a long run.
    pub const FULL: Self = Self {
        all_subsets_of: 12,
        subsets: 10_000,
        all_others_of: 6,
        others: 8,
        grain: 8,
        cuts: 3,
        noises: 8,
        second_every: 16,
    };
}
