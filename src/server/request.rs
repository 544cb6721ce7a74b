//! A method and its params, made into a command.

use serde_json::value::RawValue;

use super::protocol::{read_object, string_of, type_of};
use super::wire_error::{ErrorKind, WireError, excerpt};
use crate::contracts::{Command, Request};
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, IdError, OrderId};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Place,
    Complete,
    Cancel,
    Get,
    Status,
}

impl Method {
    /// All of them, for messages.
    pub(super) const NAMES: &'static str = "order.place, order.complete, order.cancel, order.get, daemon.status";

    fn by_name(name: &str) -> Option<Self> {
        match name {
            "order.place" => Some(Self::Place),
            "order.complete" => Some(Self::Complete),
            "order.cancel" => Some(Self::Cancel),
            "order.get" => Some(Self::Get),
            "daemon.status" => Some(Self::Status),
            _ => None,
        }
    }

    const fn takes(self) -> &'static str {
        match self {
            Self::Place => "order.place takes customer_id, total_amount, order_id? and command_id?",
            Self::Complete => "order.complete takes order_id and command_id?",
            Self::Cancel => "order.cancel takes order_id, reason? and command_id?",
            Self::Get => "order.get takes order_id",
            Self::Status => "daemon.status takes no params",
        }
    }
}

/// Reads the params that the method takes.
pub(super) fn read(method: &str, params: Option<&RawValue>) -> Result<Command, WireError> {
    let Some(method) = Method::by_name(method) else {
        let message = format!("there is no method {}; there are {}", excerpt(method), Method::NAMES);
        return Err(WireError::new(ErrorKind::MethodNotFound, message));
    };
    let params = Params::read(method, params).map_err(|message| WireError::new(ErrorKind::InvalidParams, message))?;
    params.command().map_err(|message| WireError::new(ErrorKind::InvalidParams, message))
}

/// The params as they came; only those that the method takes are there.
struct Params<'a> {
    method: Method,
    order_id: Option<&'a RawValue>,
    customer_id: Option<&'a RawValue>,
    total_amount: Option<&'a RawValue>,
    reason: Option<&'a RawValue>,
    command_id: Option<&'a RawValue>,
    fault: Option<String>,
}

impl<'a> Params<'a> {
    fn read(method: Method, raw: Option<&'a RawValue>) -> Result<Self, String> {
        let mut params = Self {
            method,
            order_id: None,
            customer_id: None,
            total_amount: None,
            reason: None,
            command_id: None,
            fault: None,
        };
        if let Some(raw) = raw {
            if type_of(raw) != "an object" {
                return Err(format!("params must be an object with names; got {}; {}", type_of(raw), method.takes()));
            }
            read_object(raw.get(), &mut |name, value| params.add(&name, value))
                .map_err(|error| format!("params cannot be read: {error}; {}", method.takes()))?;
        }
        match params.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(params),
        }
    }

    fn add(&mut self, name: &str, value: &'a RawValue) {
        let slot = match (name, self.method) {
            ("order_id", Method::Place | Method::Complete | Method::Cancel | Method::Get) => &mut self.order_id,
            ("customer_id", Method::Place) => &mut self.customer_id,
            ("total_amount", Method::Place) => &mut self.total_amount,
            ("reason", Method::Cancel) => &mut self.reason,
            ("command_id", Method::Place | Method::Complete | Method::Cancel) => &mut self.command_id,
            _ => {
                let takes = self.method.takes();
                self.fault.get_or_insert_with(|| format!("unknown param {}; {takes}", excerpt(name)));
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.fault.get_or_insert_with(|| format!("the param {name} is there twice; give it once"));
        }
    }

    fn command(&self) -> Result<Command, String> {
        let request = match self.method {
            Method::Place => Request::Place {
                order_id: optional(self.order_id, |raw| id("order_id", raw, OrderId::parse))?,
                customer_id: id("customer_id", self.required("customer_id", self.customer_id)?, CustomerId::parse)?,
                total_amount: cents(self.required("total_amount", self.total_amount)?)?,
            },
            Method::Complete => Request::Complete { order_id: self.required_order_id()? },
            Method::Cancel => {
                Request::Cancel { order_id: self.required_order_id()?, reason: optional(self.reason, reason)? }
            }
            Method::Get => Request::Get { order_id: self.required_order_id()? },
            Method::Status => Request::Status,
        };
        let command_id = optional(self.command_id, |raw| id("command_id", raw, CommandId::parse))?;
        Ok(Command { request, command_id })
    }

    fn required_order_id(&self) -> Result<OrderId, String> {
        id("order_id", self.required("order_id", self.order_id)?, OrderId::parse)
    }

    fn required(&self, name: &str, value: Option<&'a RawValue>) -> Result<&'a RawValue, String> {
        value.ok_or_else(|| format!("the param {name} is missing; {}", self.method.takes()))
    }
}

fn optional<'a, T>(
    value: Option<&'a RawValue>,
    read: impl FnOnce(&'a RawValue) -> Result<T, String>,
) -> Result<Option<T>, String> {
    value.map(read).transpose()
}

fn id<T>(name: &str, raw: &RawValue, parse: impl FnOnce(&str) -> Result<T, IdError>) -> Result<T, String> {
    match string_of(raw) {
        Some(text) => parse(&text).map_err(|error| format!("{name}: {error}; got {}", excerpt(&text))),
        None => Err(format!("{name}: {IdError}; got {}", not_a_text(raw))),
    }
}

fn cents(raw: &RawValue) -> Result<Cents, String> {
    let text = raw.get();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // JSON allows no leading zeros and no plus sign, so only the size can be wrong with digits.
    match text.parse::<u64>() {
        Ok(count) if digits => Cents::new(count).map_err(|error| format!("total_amount: {error}")),
        Ok(_) | Err(_) => {
            let got = if type_of(raw) == "a number" { excerpt(text) } else { type_of(raw).to_owned() };
            Err(format!("total_amount must be an integer count of cents, 0 to {}; got {got}", Cents::MAX))
        }
    }
}

fn reason(raw: &RawValue) -> Result<CancelReason, String> {
    match string_of(raw) {
        Some(text) => CancelReason::new(text).map_err(|error| format!("reason: {error}")),
        None => {
            let (most, got) = (CancelReason::CHARS_MAX, not_a_text(raw));
            Err(format!("reason must be a string of at most {most} characters, or be left out; got {got}"))
        }
    }
}

fn not_a_text(raw: &RawValue) -> &'static str {
    match type_of(raw) {
        "a string" => "a string with half a surrogate pair",
        other => other,
    }
}
