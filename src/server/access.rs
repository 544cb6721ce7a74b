//! Who may call what.

use super::ServerOptions;
use crate::contracts::AttachTarget;

/// Whom a method is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Whoever may use the socket.
    Client,
    /// Operators and observers.
    Observer,
    /// Operators.
    Operator,
    /// Operators, and the users that a sink lets in.
    Consumer,
}

/// The user at the other end of a connection, and what the configuration lets that user do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// The user; none if the system does not tell.
    pub(super) uid: Option<u32>,
    /// May place and read orders, and see how the daemon is.
    pub(super) client: bool,
    /// May see sinks, lanes, replays and decisions.
    pub(super) observer: bool,
    /// May decide about them.
    pub(super) operator: bool,
    /// May attach to at least one sink.
    pub(super) consumer: bool,
}

impl Caller {
    pub(super) fn new(uid: Option<u32>, options: &ServerOptions, sinks: &[AttachTarget]) -> Self {
        let listed = |uids: &[u32]| uid.is_some_and(|uid| uids.contains(&uid));
        let own = rustix::process::geteuid().as_raw();
        let operator = uid.is_some_and(|uid| uid == 0 || uid == own) || listed(&options.operator_uids);
        Self {
            uid,
            client: options.allowed_uids.is_empty() || listed(&options.allowed_uids),
            observer: operator || listed(&options.observer_uids),
            operator,
            consumer: operator || sinks.iter().any(|sink| listed(&sink.consumer_uids)),
        }
    }

    /// Whether there is nothing that this user may call.
    pub(super) const fn has_no_rights(&self) -> bool {
        !(self.client || self.observer || self.operator || self.consumer)
    }

    /// Whether the method is open to this user; else who it is open to. Of `sink.attach` the sink has the last word.
    pub(super) const fn may(&self, access: Access) -> Result<(), &'static str> {
        let (granted, whom) = match access {
            Access::Client => (self.client, "this user is not among daemon.allowed_uids"),
            Access::Observer => (
                self.observer,
                "this is for operators (root, the daemon's own user, daemon.operator_uids) and daemon.observer_uids",
            ),
            Access::Operator => {
                (self.operator, "this is for operators: root, the daemon's own user and daemon.operator_uids")
            }
            Access::Consumer => (self.consumer, "this is for operators and the sink's consumer_uids"),
        };
        if granted { Ok(()) } else { Err(whom) }
    }

    /// Whether this user may attach to `sink`.
    pub(super) fn may_attach(&self, sink: &AttachTarget) -> bool {
        self.operator || self.uid.is_some_and(|uid| sink.consumer_uids.contains(&uid))
    }
}
