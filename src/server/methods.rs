//! A method and its params, made into a command.

use super::raw_json::{Kind, Value, read_members};
use super::rpc_error::{ErrorKind, RpcError, excerpt};
use crate::contracts::{ChangeRequest, Command, Request};
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

    /// Its params, for messages.
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

/// One more than there are params: if there are more, one of these is unknown or there twice.
const MEMBERS_KEPT: usize = 6;

/// The params as they came. They may come before the method, so nothing is known about them yet.
#[derive(Debug, Default)]
pub(super) struct RawParams<'a> {
    shape: Shape<'a>,
    /// The first few members of the object.
    members: [Option<(Value<'a>, Value<'a>)>; MEMBERS_KEPT],
}

#[derive(Debug, Default)]
enum Shape<'a> {
    #[default]
    Missing,
    Object,
    Other(Value<'a>),
}

impl<'a> RawParams<'a> {
    /// Takes the value of `params`; gives whether there had been one before.
    pub(super) fn read(&mut self, params: Value<'a>) -> bool {
        if !matches!(self.shape, Shape::Missing) {
            return true;
        }
        let mut free = self.members.iter_mut();
        let read = read_members(params.text, |name, value| {
            if let Some(place) = free.next() {
                *place = Some((name, value));
            }
        });
        // The text was checked with the line: what is no object here is another value.
        self.shape = if read.is_ok() { Shape::Object } else { Shape::Other(params) };
        false
    }
}

/// Makes the command of a method, which is a string, and its params.
pub(super) fn read(name: Value<'_>, raw: &RawParams<'_>) -> Result<Request, RpcError> {
    let Some(method) = name.as_str().and_then(|name| Method::by_name(&name)) else {
        let message = format!("there is no method {}; there are {}", excerpt(name), Method::NAMES);
        return Err(RpcError::new(ErrorKind::MethodNotFound, message));
    };
    Params::read(method, raw)
        .and_then(|params| params.request(method))
        .map_err(|message| RpcError::new(ErrorKind::InvalidParams, message))
}

/// The params by their names; those that the method does not take are not there.
#[derive(Debug, Default)]
struct Params<'a> {
    order_id: Option<Value<'a>>,
    customer_id: Option<Value<'a>>,
    total_amount: Option<Value<'a>>,
    reason: Option<Value<'a>>,
    command_id: Option<Value<'a>>,
}

impl<'a> Params<'a> {
    fn read(method: Method, raw: &RawParams<'a>) -> Result<Self, String> {
        let mut params = Self::default();
        match raw.shape {
            Shape::Missing => {}
            Shape::Object => {
                raw.members.iter().flatten().try_for_each(|(name, value)| params.add(method, *name, *value))?;
            }
            Shape::Other(value) => {
                let (got, takes) = (value.type_name(), method.takes());
                return Err(format!("params must be an object with names; got {got}; {takes}"));
            }
        }
        Ok(params)
    }

    fn add(&mut self, method: Method, name: Value<'a>, value: Value<'a>) -> Result<(), String> {
        use Method::{Cancel, Complete, Get, Place};
        let slot = match (name.as_str().as_deref(), method) {
            (Some("order_id"), Place | Complete | Cancel | Get) => &mut self.order_id,
            (Some("customer_id"), Place) => &mut self.customer_id,
            (Some("total_amount"), Place) => &mut self.total_amount,
            (Some("reason"), Cancel) => &mut self.reason,
            (Some("command_id"), Place | Complete | Cancel) => &mut self.command_id,
            (Some(_) | None, _) => {
                return Err(format!("unknown param {}; {}", excerpt(name), method.takes()));
            }
        };
        match slot.replace(value) {
            Some(_) => Err(format!("the param {} is there twice; give it once", excerpt(name))),
            None => Ok(()),
        }
    }

    fn request(&self, method: Method) -> Result<Request, String> {
        let missing = |name: &str| format!("the param {name} is missing; {}", method.takes());
        let order_id = || {
            let value = self.order_id.ok_or_else(|| missing("order_id"))?;
            id("order_id", value, OrderId::parse)
        };
        let command = match method {
            Method::Place => Command::Place {
                order_id: self.order_id.map(|value| id("order_id", value, OrderId::parse)).transpose()?,
                customer_id: {
                    let value = self.customer_id.ok_or_else(|| missing("customer_id"))?;
                    id("customer_id", value, CustomerId::parse)?
                },
                total_amount: cents(self.total_amount.ok_or_else(|| missing("total_amount"))?)?,
            },
            Method::Complete => Command::Complete { order_id: order_id()? },
            Method::Cancel => Command::Cancel { order_id: order_id()?, reason: self.reason.map(reason).transpose()? },
            Method::Get => return Ok(Request::Get { order_id: order_id()? }),
            Method::Status => return Ok(Request::Status),
        };
        let command_id = self.command_id.map(|value| id("command_id", value, CommandId::parse)).transpose()?;
        Ok(Request::Change(ChangeRequest { command, command_id, context: None }))
    }
}

fn id<T>(name: &str, value: Value<'_>, parse: impl FnOnce(&str) -> Result<T, IdError>) -> Result<T, String> {
    match value.as_str() {
        Some(text) => parse(&text).map_err(|error| format!("{name}: {error}; got {}", excerpt(value))),
        None => Err(format!("{name}: {IdError}; got {}", not_a_text(value))),
    }
}

fn cents(value: Value<'_>) -> Result<Cents, String> {
    let is_whole = value.text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole {
        let got = if value.kind == Kind::Number { excerpt(value) } else { value.type_name().to_owned() };
        return Err(format!("total_amount must be an integer count of cents, 0 to {}; got {got}", Cents::MAX));
    }
    // Digits alone, and JSON allows no leading zeros: if this fails, it is more than a u64 holds.
    let count = value.text.parse::<u64>().unwrap_or(u64::MAX);
    Cents::new(count).map_err(|error| format!("total_amount: {error}"))
}

fn reason(value: Value<'_>) -> Result<CancelReason, String> {
    match value.as_str() {
        Some(text) => CancelReason::new(text).map_err(|error| format!("reason: {error}")),
        None => {
            let (most, got) = (CancelReason::CHARS_MAX, not_a_text(value));
            Err(format!("reason must be a string of at most {most} characters, or be left out; got {got}"))
        }
    }
}

fn not_a_text(value: Value<'_>) -> &'static str {
    match value.kind {
        Kind::Escaped => "a string with half a surrogate pair",
        Kind::Plain | Kind::Number | Kind::Boolean | Kind::Null | Kind::Array | Kind::Object => value.type_name(),
    }
}
