//! What the executor keeps for operators.

use std::collections::VecDeque;

use super::inspector::InspectorHandle;
use super::operate::{FollowUp, Operations, RequeueJob};

/// How operators are answered, and what was begun for them.
#[derive(Default)]
pub(super) struct OperatorWork {
    pub(super) operations: Option<Operations>,
    pub(super) inspector: Option<InspectorHandle>,
    pub(super) jobs: VecDeque<RequeueJob>,
    /// To be done once what is staged is durable.
    pub(super) follow_ups: Vec<FollowUp>,
}
