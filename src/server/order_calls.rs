//! What clients ask of orders.

use super::call::{Call, Limits};
use super::metadata;
use super::params::{Params, id, is_digits, not_a_text};
use super::raw_json::{Kind, Value};
use super::rpc_error::excerpt;
use super::trace_context::{TRACEPARENT_TAKES, TRACESTATE_TAKES, is_traceparent, is_tracestate};
use crate::contracts::{ChangeRequest, Command, Request};
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, EventContext, OrderId};

pub(super) fn place(params: &Params<'_>, limits: &Limits) -> Result<Call, String> {
    let command = Command::Place {
        order_id: params.optional("order_id", id(OrderId::parse))?,
        customer_id: params.required("customer_id", id(CustomerId::parse))?,
        total_amount: params.required("total_amount", cents)?,
    };
    change(command, params, limits)
}

pub(super) fn complete(params: &Params<'_>, limits: &Limits) -> Result<Call, String> {
    change(Command::Complete { order_id: order_id(params)? }, params, limits)
}

pub(super) fn cancel(params: &Params<'_>, limits: &Limits) -> Result<Call, String> {
    let command = Command::Cancel { order_id: order_id(params)?, reason: params.optional("reason", reason)? };
    change(command, params, limits)
}

pub(super) fn get(params: &Params<'_>) -> Result<Call, String> {
    Ok(Call::Execute(Request::Get { order_id: order_id(params)? }))
}

/// The param that most methods have.
pub(super) fn order_id(params: &Params<'_>) -> Result<OrderId, String> {
    params.required("order_id", id(OrderId::parse))
}

fn change(command: Command, params: &Params<'_>, limits: &Limits) -> Result<Call, String> {
    let command_id = params.optional("command_id", id(CommandId::parse))?;
    let context = context(params, limits)?;
    Ok(Call::Execute(Request::Change(ChangeRequest { command, command_id, context })))
}

fn context(params: &Params<'_>, limits: &Limits) -> Result<Option<Box<EventContext>>, String> {
    let context = EventContext {
        metadata: params.optional("metadata", |name, value| metadata(name, value, limits))?,
        traceparent: params.optional("traceparent", trace_text(is_traceparent, TRACEPARENT_TAKES))?,
        tracestate: params.optional("tracestate", trace_text(is_tracestate, TRACESTATE_TAKES))?,
    };
    if context.tracestate.is_some() && context.traceparent.is_none() {
        return Err("tracestate goes with a traceparent, which is missing".to_owned());
    }
    Ok((context != EventContext::default()).then(|| Box::new(context)))
}

fn metadata(name: &str, value: Value<'_>, limits: &Limits) -> Result<Box<str>, String> {
    let takes = || {
        let (bytes, levels) = (limits.metadata_bytes_max, limits.metadata_levels_max);
        format!("{name} must be a JSON object of at most {bytes} bytes and {levels} levels")
    };
    if value.kind != Kind::Object {
        return Err(format!("{}; got {}", takes(), value.type_name()));
    }
    if value.text.len() > limits.metadata_bytes_max {
        return Err(format!("{}; it has {} bytes", takes(), value.text.len()));
    }
    metadata::compact(value.text, limits.metadata_levels_max).map_err(|problem| format!("{}; it {problem}", takes()))
}

fn trace_text<'a>(
    is_sound: fn(&str) -> bool,
    takes: &'static str,
) -> impl FnOnce(&str, Value<'a>) -> Result<Box<str>, String> {
    move |_, value| {
        let text = value.as_str().ok_or_else(|| format!("{takes}; got {}", not_a_text(value)))?;
        if is_sound(&text) { Ok(text.into()) } else { Err(format!("{takes}; got {}", excerpt(value))) }
    }
}

fn cents(name: &str, value: Value<'_>) -> Result<Cents, String> {
    if !is_digits(value) {
        let got = if value.kind == Kind::Number { excerpt(value) } else { value.type_name().to_owned() };
        return Err(format!("{name} must be an integer count of cents, 0 to {}; got {got}", Cents::MAX));
    }
    // If this fails, it is more than a u64 holds.
    let count = value.text.parse::<u64>().unwrap_or(u64::MAX);
    Cents::new(count).map_err(|error| format!("{name}: {error}"))
}

fn reason(name: &str, value: Value<'_>) -> Result<CancelReason, String> {
    match value.as_str() {
        Some(text) => CancelReason::new(text).map_err(|error| format!("{name}: {error}")),
        None => {
            let (most, got) = (CancelReason::CHARS_MAX, not_a_text(value));
            Err(format!("{name} must be a string of at most {most} characters, or be left out; got {got}"))
        }
    }
}
