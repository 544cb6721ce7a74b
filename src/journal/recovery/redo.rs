//! Which frames are read back, and how they get into the state.

use crate::contracts::Lsn;
use crate::journal::ChainPoint;

/// Where replay starts, what it must reach at least, and what it must meet on the way.
#[derive(Debug, Clone, Default)]
pub struct RedoRange {
    /// The state holds everything up to here: frames behind it are replayed.
    pub after: Lsn,
    /// A cursor or a checkpoint says that frames up to here had been durable.
    pub must_reach: Lsn,
    /// By LSN: where the journal holds one of these plans, it must be the same. Another one is of another history: two
    /// copies of one store that both went on, for example.
    pub points: Vec<ChainPoint>,
}

/// A frame on its way into the state.
#[derive(Debug, Clone, Copy)]
pub struct RedoFrame<'a> {
    /// Its number.
    pub lsn: Lsn,
    /// What it holds.
    pub body: &'a [u8],
    /// Its byte offset in the segment.
    pub offset: usize,
}

/// A frame that makes no sense where it stands.
#[derive(Debug)]
pub struct RedoError {
    /// Its place among those that were replayed together.
    pub frame: usize,
    /// Why.
    pub problem: RedoProblem,
}

/// Why a frame is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedoProblem {
    /// It is not what was written, or does not fit what was before it.
    Unfit(String),
    /// It was written by a newer version.
    Version(String),
}

impl From<String> for RedoProblem {
    fn from(problem: String) -> Self {
        Self::Unfit(problem)
    }
}

/// Takes frames in, a few together, in their order.
pub type Redo<'a> = dyn FnMut(&[RedoFrame<'_>]) -> Result<(), RedoError> + 'a;

/// Takes frames in one by one.
pub fn per_frame(
    mut take: impl FnMut(RedoFrame<'_>) -> Result<(), RedoProblem>,
) -> impl FnMut(&[RedoFrame<'_>]) -> Result<(), RedoError> {
    move |frames| {
        let mut numbered = frames.iter().enumerate();
        numbered.try_for_each(|(frame, replayed)| take(*replayed).map_err(|problem| RedoError { frame, problem }))
    }
}
