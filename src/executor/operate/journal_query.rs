//! What has to be looked up in the journal, which may take long.

use std::collections::BTreeSet;

use super::context::unreadable;
use super::excluded::Excluded;
use crate::contracts::{
    EventHistory, EventRange, EventType, Lsn, OperatorRefusal, PublishedEvent, Refusal, ReplayBound, ReplayRequest,
    Sequence,
};

/// What a request wants to know of the journal before it can be decided or answered.
#[derive(Debug)]
pub(in crate::executor) enum JournalQuery {
    /// Delivery decisions of plans after `after`.
    Decisions { after: Lsn, limit: usize },
    /// The events of a replay.
    Replay {
        request: ReplayRequest,
        /// The last event that the sink had live.
        acked: Sequence,
        /// What is parked at the sink: left out.
        parked: BTreeSet<Sequence>,
    },
}

/// The events of a replay.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::executor) struct Range {
    pub(super) from: Sequence,
    pub(super) to: Sequence,
    pub(super) fitting: EventRange,
}

/// Events that are read at once when events are counted.
const READ_EVENTS: usize = 1000;

/// Finds the range, and counts what of it fits; reads as much of the journal as the range is long, if it has to.
pub(in crate::executor) fn seek(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    acked: Sequence,
    parked: &BTreeSet<Sequence>,
) -> Result<Range, Refusal> {
    let (from, to) = bounds(history, request, acked)?;
    let fitting = if request.types.is_empty() && request.order_id.is_none() {
        let excluded: Excluded = parked.iter().map(|at| (*at, *at)).collect();
        excluded.left_of(from, to)
    } else {
        count(history, request, from, to, parked)?
    };
    Ok(Range { from, to, fitting })
}

fn bounds(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    acked: Sequence,
) -> Result<(Sequence, Sequence), Refusal> {
    let oldest = history.oldest_sequence().map_err(unreadable)?;
    let out_of_range = |problem: String| Refusal::from(OperatorRefusal::OutOfRange { problem, oldest });
    let from = match request.from {
        ReplayBound::Sequence(from) => from,
        ReplayBound::Time(time) => {
            let found = history.first_at_or_after(time).map_err(unreadable)?;
            found.ok_or_else(|| out_of_range(format!("no event happened at {time} or later")))?
        }
    };
    let to = match request.to {
        ReplayBound::Sequence(to) => to,
        ReplayBound::Time(time) => {
            let found = history.last_at_or_before(time).map_err(unreadable)?;
            found.ok_or_else(|| out_of_range(format!("no event that happened at {time} or before is held")))?.min(acked)
        }
    };
    if from < oldest {
        return Err(out_of_range(format!("event {from} is not held")));
    }
    if to > acked {
        return Err(out_of_range(format!("a replay ends at what the sink has had, event {acked}, at the latest")));
    }
    if from > to {
        let problem = format!("the range is empty: it begins with event {from} and ends with event {to}");
        return Err(OperatorRefusal::Invalid(problem).into());
    }
    Ok((from, to))
}

fn count(
    history: &dyn EventHistory,
    request: &ReplayRequest,
    from: Sequence,
    to: Sequence,
    parked: &BTreeSet<Sequence>,
) -> Result<EventRange, Refusal> {
    let mut feed = history.open_after(Sequence(from.0.saturating_sub(1))).map_err(unreadable)?;
    let mut fitting = EventRange::default();
    let mut batch = Vec::with_capacity(READ_EVENTS);
    loop {
        batch.clear();
        feed.read(READ_EVENTS, &mut batch).map_err(unreadable)?;
        let inside = batch.iter().take_while(|event| event.sequence <= to);
        let chosen = inside.filter(|event| fits(event, request) && !parked.contains(&event.sequence));
        chosen.for_each(|event| fitting.add(event.sequence));
        if batch.last().is_none_or(|last| last.sequence >= to) {
            return Ok(fitting);
        }
    }
}

fn fits(event: &PublishedEvent, request: &ReplayRequest) -> bool {
    let Some(event_type) = EventType::of(&event.entry.event) else { return false };
    (request.types.is_empty() || request.types.contains(&event_type))
        && request.order_id.is_none_or(|order_id| event.entry.event.order_id() == order_id)
}
