//! How frames that were read back get into the state.

use crate::contracts::Lsn;

/// A frame on its way into the state.
#[derive(Debug, Clone, Copy)]
pub struct ReplayedFrame<'a> {
    /// Its number.
    pub lsn: Lsn,
    /// What it holds.
    pub body: &'a [u8],
    /// Its byte offset in the segment.
    pub offset: usize,
}

/// A frame that makes no sense where it stands.
#[derive(Debug)]
pub struct Unfit {
    /// Its place among those that were replayed together.
    pub frame: usize,
    /// Why.
    pub problem: String,
}

/// Takes frames in, a few together, in their order.
pub type Replay<'a> = dyn FnMut(&[ReplayedFrame<'_>]) -> Result<(), Unfit> + 'a;

/// Takes frames in one by one.
pub fn one_by_one(
    mut take: impl FnMut(ReplayedFrame<'_>) -> Result<(), String>,
) -> impl FnMut(&[ReplayedFrame<'_>]) -> Result<(), Unfit> {
    move |frames| {
        let mut numbered = frames.iter().enumerate();
        numbered.try_for_each(|(frame, replayed)| take(*replayed).map_err(|problem| Unfit { frame, problem }))
    }
}
