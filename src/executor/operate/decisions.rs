//! `decision.list`

use super::context::unreadable;
use crate::contracts::{EventHistory, ListedDecision, Lsn, OperatorResult, Refusal};

/// However much is asked for, one answer holds no more decisions.
const LISTED_MAX: usize = 1000;
/// Plans that are read for one answer. Decisions are rare among them: an answer may be empty and still say where to go
/// on.
const PLANS_MAX: usize = 1_000_000;

/// Reads the journal until enough decisions are found.
pub(in crate::executor) fn list(
    history: &dyn EventHistory,
    after: Lsn,
    limit: usize,
) -> Result<OperatorResult, Refusal> {
    let page = history.decisions(after, limit.clamp(1, LISTED_MAX), PLANS_MAX).map_err(unreadable)?;
    let next = (!page.at_end).then_some(page.looked_to);
    let decisions = page.decisions.into_iter().map(|(lsn, decision)| ListedDecision(lsn, decision)).collect();
    Ok(OperatorResult::Decisions { decisions, next })
}
