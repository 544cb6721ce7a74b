//! What a command says about the event that it raises, beside the change itself.

use serde::{Deserialize, Serialize};

/// Belongs to the event and not to the order: it is stored with the outbox entry and comes out with the event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventContext {
    /// A JSON object as its text, without the white space between its parts.
    pub metadata: Option<Box<str>>,
    /// W3C Trace Context, `traceparent`.
    pub traceparent: Option<Box<str>>,
    /// W3C Trace Context, `tracestate`; only beside a `traceparent`.
    pub tracestate: Option<Box<str>>,
}
