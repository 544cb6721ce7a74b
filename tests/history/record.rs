//! What a history is made of.

use serde::{Deserialize, Serialize};

/// A point on the recorder's one clock, which counts; two moments are never equal unless nothing lies between them.
pub type Moment = u64;

/// Everything the outside saw.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every line that was sent, in no particular order; one sent again is a call of its own.
    pub calls: Vec<Call>,
    /// Every answer of `daemon.status`.
    pub seen: Vec<Seen>,
    /// What `dump` printed, in the order it was taken; the last one is the final state of the journal.
    pub dumps: Vec<Dump>,
    /// What the sink recorded, in its order.
    pub deliveries: Vec<Delivery>,
    /// When each life of the daemon ended: life 0 at `deaths[0]`.
    pub deaths: Vec<Moment>,
    /// How many events a restart may deliver again.
    pub redelivered_max: u64,
    /// True where the sink itself was made to fail, so that a life may deliver an event twice.
    pub sink_failed: bool,
}

/// One line sent to the daemon.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which connection it went through: unique in the history.
    pub connection: u64,
    /// Its place among the lines of that connection.
    pub position: u64,
    pub request: Request,
    pub command_id: Option<String>,
    /// Before the first byte was sent.
    pub invoked: Moment,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Place { order_id: Option<String>, customer_id: String, total_amount: u64 },
    Complete { order_id: String },
    Cancel { order_id: String, reason: Option<String> },
    Get { order_id: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A result; `at` is after its last byte was read.
    Done {
        at: Moment,
        order: Order,
        lsn: u64,
        duplicate: bool,
    },
    /// The result of a read.
    Read {
        at: Moment,
        order: Order,
    },
    Refused {
        at: Moment,
        refusal: Refusal,
    },
    /// No answer, or one that says nothing about the effect.
    Unknown,
}

/// The refusals that tell something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    OrderNotFound,
    OrderExists,
    InvalidTransition,
    CommandIdConflict,
    /// Overloaded, shutting down or storage full: nothing happened, try again.
    TurnedAway,
}

/// An order as answers and dumps show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub order_id: String,
    pub customer_id: String,
    pub total_amount: u64,
    pub status: String,
    pub version: u64,
    pub placed_at: String,
    pub completed_at: Option<String>,
    pub cancelled_at: Option<String>,
}

/// What `daemon.status` claimed.
#[derive(Clone, Debug)]
pub struct Seen {
    pub invoked: Moment,
    pub durable_lsn: u64,
    pub last_sequence: u64,
    pub acked_sequence: u64,
}

/// One run of `dump`.
#[derive(Clone, Debug)]
pub struct Dump {
    /// Before it was started.
    pub at: Moment,
    /// The life of the daemon in which it was taken: what a sink recorded in earlier lives must be in it.
    pub life: usize,
    pub plans: Vec<Plan>,
}

/// One line of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub lsn: u64,
    pub order: Option<Order>,
    /// Each event's text as it stands in the dump.
    pub events: Vec<String>,
}

/// One line that the sink recorded.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The life of the daemon that delivered it.
    pub life: usize,
    pub text: String,
}

impl Call {
    /// When the answer was there, if there was one.
    pub fn returned(&self) -> Option<Moment> {
        match &self.outcome {
            Outcome::Done { at, .. } | Outcome::Read { at, .. } | Outcome::Refused { at, .. } => Some(*at),
            Outcome::Unknown => None,
        }
    }
}

impl Request {
    /// The order that the request names.
    pub fn order_id(&self) -> Option<&str> {
        match self {
            Request::Place { order_id, .. } => order_id.as_deref(),
            Request::Complete { order_id } | Request::Cancel { order_id, .. } | Request::Get { order_id } => {
                Some(order_id)
            }
        }
    }
}
