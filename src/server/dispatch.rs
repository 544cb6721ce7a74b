//! From a line to whoever answers it.

use super::access::Caller;
use super::admission::Standing;
use super::call::{AttachCall, Call};
use super::jsonrpc::{self, Incoming};
use super::methods::Method;
use super::response::write_error;
use super::response_queue::{Awaited, RawId, ResponseQueue};
use super::rpc_error::{ErrorKind, RpcError};
use super::shared::Shared;
use crate::contracts::{ConnectionId, Envelope, OperatorRequest, Request};

/// The version of the protocol that attached programs speak.
const ATTACH_PROTOCOL: u64 = 1;

/// Who is at the other end of a connection, and what is known of it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: ConnectionId,
    pub(super) caller: Caller,
    /// The connection is one of the last, which are kept for operators.
    pub(super) is_reserved: bool,
    pub(super) standing: Standing,
    /// It may have pinned the journal.
    pub(super) has_pins: bool,
}

/// A line with what is to be known about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Much more was sent after it.
    pub(super) is_burst: bool,
}

/// What a line came to.
#[derive(Debug)]
pub(super) enum Dispatched {
    /// It is answered, or will be.
    Taken,
    /// It was no request that can be executed; it is answered.
    Refused,
    /// The connection goes to a sink once everything before is answered.
    Attach(Attaching),
}

/// A connection that is about to go to a sink.
#[derive(Debug)]
pub(super) struct Attaching {
    /// The request's id.
    pub(super) id: Box<str>,
    /// The place of the sink among those that can be attached to.
    pub(super) target: usize,
    pub(super) call: AttachCall,
}

/// Hands a line's request on, or answers why not.
pub(super) fn dispatch(
    line: Line<'_>,
    peer: &mut Peer,
    responses: &mut ResponseQueue,
    shared: &mut Shared,
) -> Dispatched {
    let limits = shared.limits;
    let (id, method, refused) = match jsonrpc::read(line.text, &limits) {
        Incoming::Refused { id, error } => (id, None, error),
        Incoming::Call { id, method, call } => match checked(id, method, call, peer, shared) {
            Ok(Checked::Execute(request)) => match execute(line, id, method, request, peer, responses, shared) {
                Ok(()) => return Dispatched::Taken,
                Err(error) => (id, Some(method), error),
            },
            Ok(Checked::Show(shown)) => {
                shared.note_result(method, None);
                if let Some(id) = id {
                    responses.push_shown(id, shown, |out, id, shown| shared.show(out, id, shown));
                }
                return Dispatched::Taken;
            }
            Ok(Checked::Attach(attaching)) => return Dispatched::Attach(attaching),
            Err(error) => (id, Some(method), error),
        },
    };
    shared.note_refused(method, &refused);
    match id {
        Some(id) => responses.push_ready(|out| write_error(out, id, &refused)),
        None => {
            shared.counters.ignored += 1;
            tracing::debug!(connection = peer.id.0, kind = refused.kind.wire().kind, "notification not executed");
        }
    }
    Dispatched::Refused
}

/// A call that the caller may make.
enum Checked {
    Execute(Request),
    Show(super::call::Shown),
    Attach(Attaching),
}

fn checked(id: Option<&str>, method: Method, call: Call, peer: &Peer, shared: &Shared) -> Result<Checked, RpcError> {
    peer.caller.may(method.spec().access).map_err(|whom| RpcError::new(ErrorKind::PermissionDenied, whom))?;
    if peer.is_reserved && method.is_order_traffic() {
        let message = "the connections for everybody are taken, and this one is kept for operators; try again later";
        return Err(RpcError::new(ErrorKind::Overloaded, message));
    }
    match call {
        Call::Execute(request) => Ok(Checked::Execute(request)),
        Call::Show(shown) => Ok(Checked::Show(shown)),
        Call::Attach(call) => attach(id.unwrap_or("null"), call, peer, shared).map(Checked::Attach),
    }
}

fn execute(
    line: Line<'_>,
    id: Option<&str>,
    method: Method,
    request: Request,
    peer: &mut Peer,
    responses: &mut ResponseQueue,
    shared: &mut Shared,
) -> Result<(), RpcError> {
    let pins = matches!(&request, Request::Operate(asked) if **asked == OperatorRequest::StorePin);
    let uid = peer.caller.uid.unwrap_or(UID_UNKNOWN);
    let envelope = Envelope { connection: peer.id, ticket: responses.next_ticket(), uid, request };
    let line_bytes = line.text.len();
    shared
        .submit(&mut peer.standing, envelope, line_bytes, line.is_burst)
        .map_err(|refusal| RpcError::from(&refusal))?;
    peer.has_pins |= pins;
    responses.expect(Awaited { id: id.map(RawId::new), method, line_bytes });
    Ok(())
}

/// What system calls take for "no user".
const UID_UNKNOWN: u32 = u32::MAX;

fn attach(id: &str, call: AttachCall, peer: &Peer, shared: &Shared) -> Result<Attaching, RpcError> {
    if shared.context.draining {
        return Err(RpcError::from(&crate::contracts::Refusal::ShuttingDown));
    }
    let found = shared.targets.iter().enumerate().find(|(_, target)| *target.name == *call.sink);
    let may = found.map_or(peer.caller.operator, |(_, target)| peer.caller.may_attach(target));
    if !may {
        return Err(RpcError::new(ErrorKind::PermissionDenied, "this is for operators and the sink's consumer_uids"));
    }
    let Some((target, sink)) = found else {
        let message = format!("there is no sink {:?}; sink.list names them", call.sink);
        return Err(RpcError::new(ErrorKind::SinkNotFound, message));
    };
    let Some(inbox) = &sink.inbox else {
        let message =
            format!("no program attaches to the sink {}; only sinks of type subscription are for that", sink.name);
        return Err(RpcError::new(ErrorKind::SinkNotAttachable, message));
    };
    if call.protocol != ATTACH_PROTOCOL {
        let message =
            format!("protocol must be {ATTACH_PROTOCOL}, the only one that this daemon speaks; got {}", call.protocol);
        return Err(RpcError::new(ErrorKind::ProtocolNotSupported, message));
    }
    if let Some(reason) = inbox.elsewhere() {
        return Err(RpcError::new(ErrorKind::NotTheRelay, reason.to_string()));
    }
    Ok(Attaching { id: id.into(), target, call })
}
