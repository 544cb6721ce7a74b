//! What operators ask of sinks, lanes, replays and the store; each function reads the params of the method that it is
//! named after.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::call::{AttachCall, Limits};
use super::order_calls::order_id;
use super::params::{Params, boolean, id, integer, text};
use super::raw_json::{Kind, Value};
use super::rpc_error::excerpt;
use crate::contracts::{
    EventType, LaneFilter, LaneState, Lsn, OperatorRequest, ReplayBound, ReplayRequest, RequeueTarget, Sequence, SkipTo,
};
use crate::domain::{CancelReason, OrderId, Timestamp};

/// A sink's name is shorter; whatever is longer names none.
const SINK_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = CancelReason::CHARS_MAX;
/// Entries of a list in one answer.
const LIST_DEFAULT: usize = 100;
const LIST_MAX: u64 = 10_000;
const REPLAY_RATE_DEFAULT: u32 = 500;

type Read = Result<OperatorRequest, String>;

pub(super) fn attach(params: &Params<'_>, limits: &Limits) -> Result<AttachCall, String> {
    Ok(AttachCall {
        sink: sink(params)?,
        protocol: params.required("protocol", integer(0, u64::MAX))?,
        program: params.required("program", text(limits.program_chars_max))?,
        in_flight_max: params.optional("in_flight_max", integer(1, u64::MAX))?.map(saturating),
        take_over: params.optional("take_over", boolean)?.unwrap_or(false),
    })
}

pub(super) fn trace(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::OrderTrace { order_id: order_id(params)? })
}

pub(super) const fn sink_list() -> Read {
    Ok(OperatorRequest::SinkList)
}

pub(super) fn sink_show(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::SinkShow { sink: sink(params)? })
}

pub(super) fn sink_pause(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::SinkPause { sink: sink(params)?, reason: reason(params)? })
}

pub(super) fn sink_resume(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::SinkResume { sink: sink(params)?, reason: reason(params)? })
}

pub(super) fn sink_retry(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::SinkRetry { sink: sink(params)?, reason: reason(params)? })
}

pub(super) fn sink_skip_to(params: &Params<'_>) -> Read {
    let to = params.required("sequence", |name, value| match value.as_str().as_deref() {
        Some("end") => Ok(SkipTo::End),
        Some(_) | None => sequence(name, value).map(SkipTo::Sequence).map_err(|error| format!("{error}, or \"end\"")),
    })?;
    Ok(OperatorRequest::SinkSkipTo {
        sink: sink(params)?,
        to,
        reason: required_reason(params)?,
        dry_run: dry_run(params)?,
    })
}

pub(super) fn sink_forget(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::SinkForget { sink: sink(params)?, reason: required_reason(params)? })
}

pub(super) fn lane_list(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::LaneList {
        sink: sink(params)?,
        filter: filter(params)?,
        after: params.optional("after", id(OrderId::parse))?,
        limit: list_limit(params)?,
    })
}

pub(super) fn lane_show(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::LaneShow { sink: sink(params)?, order_id: order_id(params)? })
}

pub(super) fn lane_requeue(params: &Params<'_>) -> Read {
    let order_id = params.optional("order_id", id(OrderId::parse))?;
    let all = params.optional("all", boolean)?.unwrap_or(false);
    let filter = filter(params)?;
    let target = match (order_id, all) {
        (None, true) => RequeueTarget::All(filter),
        (Some(order_id), false) if filter == LaneFilter::default() => RequeueTarget::Order(order_id),
        (Some(_), false) => return Err("state and reason_contains go with all; an order_id names one lane".to_owned()),
        (Some(_), true) | (None, false) => return Err("lane.requeue takes either order_id or all: true".to_owned()),
    };
    Ok(OperatorRequest::LaneRequeue {
        sink: sink(params)?,
        target,
        limit: params.optional("limit", integer(1, u64::MAX))?.map(saturating),
        reason: reason(params)?,
        dry_run: dry_run(params)?,
    })
}

pub(super) fn lane_skip(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::LaneSkip {
        sink: sink(params)?,
        order_id: order_id(params)?,
        sequence: params.required("sequence", sequence)?,
        reason: required_reason(params)?,
    })
}

pub(super) fn lane_park(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::LanePark { sink: sink(params)?, order_id: order_id(params)?, reason: required_reason(params)? })
}

pub(super) fn replay_start(params: &Params<'_>) -> Read {
    const TYPES: &str = "an array of \"OrderPlaced\", \"OrderCompleted\" and \"OrderCancelled\"";
    let rate = params.optional("rate_events_per_s_max", integer(1, u64::from(u32::MAX)))?;
    Ok(OperatorRequest::ReplayStart(ReplayRequest {
        sink: sink(params)?,
        from: params.required("from", replay_bound)?,
        to: params.required("to", replay_bound)?,
        types: params.optional("types", choice::<Vec<EventType>>(TYPES))?.unwrap_or_default(),
        order_id: params.optional("order_id", id(OrderId::parse))?,
        rate_events_per_s_max: rate.and_then(|rate| u32::try_from(rate).ok()).unwrap_or(REPLAY_RATE_DEFAULT),
        reason: reason(params)?,
        dry_run: dry_run(params)?,
    }))
}

pub(super) const fn replay_list() -> Read {
    Ok(OperatorRequest::ReplayList)
}

pub(super) fn replay_cancel(params: &Params<'_>) -> Read {
    let replay_id = params.required("replay_id", |name, value| {
        // The form that orderd itself shows, and no other.
        let shown = |text: &str| Uuid::try_parse(text).ok().filter(|_| text.len() == 36);
        let replay_id = value.as_str().and_then(|text| shown(&text));
        replay_id.ok_or_else(|| format!("{name} must be a hyphenated UUID; got {}", excerpt(value)))
    })?;
    Ok(OperatorRequest::ReplayCancel { replay_id, reason: reason(params)? })
}

pub(super) fn decision_list(params: &Params<'_>) -> Read {
    let after_lsn = params.optional("after_lsn", integer(0, u64::MAX))?.unwrap_or_default();
    Ok(OperatorRequest::DecisionList { after_lsn: Lsn(after_lsn), limit: list_limit(params)? })
}

pub(super) const fn store_pin() -> Read {
    Ok(OperatorRequest::StorePin)
}

pub(super) fn store_unpin(params: &Params<'_>) -> Read {
    Ok(OperatorRequest::StoreUnpin { pin: params.required("pin", integer(0, u64::MAX))? })
}

fn sink(params: &Params<'_>) -> Result<String, String> {
    params.required("sink", text(SINK_CHARS_MAX))
}

fn reason(params: &Params<'_>) -> Result<Option<String>, String> {
    params.optional("reason", text(REASON_CHARS_MAX))
}

fn required_reason(params: &Params<'_>) -> Result<String, String> {
    params.required("reason", text(REASON_CHARS_MAX))
}

fn dry_run(params: &Params<'_>) -> Result<bool, String> {
    Ok(params.optional("dry_run", boolean)?.unwrap_or(false))
}

fn list_limit(params: &Params<'_>) -> Result<usize, String> {
    Ok(params.optional("limit", integer(1, LIST_MAX))?.map_or(LIST_DEFAULT, saturating))
}

fn filter(params: &Params<'_>) -> Result<LaneFilter, String> {
    const STATES: &str = "\"retrying\", \"rejected\", \"held\" or \"requeued\"";
    Ok(LaneFilter {
        state: params.optional("state", choice::<LaneState>(STATES))?,
        reason_contains: params.optional("reason_contains", text(REASON_CHARS_MAX))?,
    })
}

fn sequence(name: &str, value: Value<'_>) -> Result<Sequence, String> {
    integer(1, u64::MAX)(name, value).map(Sequence)
}

/// A sequence, or a time.
fn replay_bound(name: &str, value: Value<'_>) -> Result<ReplayBound, String> {
    let takes = || format!("{name} must be a sequence, an integer from 1, or a time such as \"2026-11-22T18:53:34Z\"");
    match value.kind {
        Kind::Number => sequence(name, value).map(ReplayBound::Sequence),
        Kind::Plain | Kind::Escaped => {
            let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
            let time = time.ok_or_else(|| format!("{}; got {}", takes(), excerpt(value)))?;
            Ok(ReplayBound::Time(Timestamp::from_datetime(time.with_timezone(&Utc))))
        }
        Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => {
            Err(format!("{}; got {}", takes(), value.type_name()))
        }
    }
}

/// Reads one of a few values that are known by their names.
fn choice<'a, T: DeserializeOwned>(takes: &'static str) -> impl FnOnce(&str, Value<'a>) -> Result<T, String> {
    move |name, value| {
        let read = serde_json::from_str(value.text);
        read.map_err(|_| format!("{name} must be {takes}; got {}", excerpt(value)))
    }
}

fn saturating(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
