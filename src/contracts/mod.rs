//! What the layers promise each other: traits, and the values that pass between them.

mod answer;
mod attach;
mod clock;
mod command;
mod decision_queue;
mod decision_view;
mod delivery;
mod event_feed;
mod feed_position;
mod folders;
mod journal_needs;
mod lsn;
mod operator;
mod operator_result;
mod order_json;
mod order_rows;
mod order_snapshot;
mod outbox_entry;
mod pins;
mod plan_store;
mod progress;
mod repository;
mod request_queue;
mod rfc3339;
mod sink;
mod sink_handle;
mod sink_view;
mod status;
mod status_model;
mod storage;
mod throughput;
mod window_bits;

pub use answer::{Answer, ConnectionId, Envelope, Outcome, Refusal, Ticket};
pub use attach::{AttachInbox, AttachRequest, AttachTarget};
pub use clock::{Clock, OrderIds};
pub use command::{ChangeRequest, Command, Fingerprint, Request};
pub use decision_queue::{DecisionBatch, DecisionInbox, DecisionNews};
pub use decision_view::{DecisionSubject, DecisionView};
pub use delivery::{
    Decision, DecisionKind, EventType, LaneState, ParkedLane, ReplayRecord, ReplaySpec, ReplayState, SinkRecord,
    SinkStartPoint, SinkType, SnapshotStart,
};
pub use event_feed::{DecisionPage, EventFeed, EventHistory, FeedError, OrderEvents};
pub use feed_position::{FEED_PLACE_BYTES, FeedPlace, FeedPosition};
pub use folders::{EntryKind, Folders};
pub use journal_needs::{JournalNeeds, ReaderPosition};
pub use lsn::{Lsn, Sequence};
pub use operator::{LaneFilter, OperatorRefusal, OperatorRequest, ReplayBound, ReplayRequest, RequeueTarget, SkipTo};
pub use operator_result::{
    EventRange, Json, LaneSummary, ListedDecision, OperatorResult, ReplaySummary, TracedEvent, TracedSink, TracedState,
};
pub use order_json::{write_order, write_order_fields};
pub use order_rows::{OrderRow, OrderRows, RowsAnswer};
pub use order_snapshot::order_snapshot;
pub use outbox_entry::{OutboxEntry, PublishedEvent};
pub use pins::{Pins, TooManyPins};
pub use plan_store::{CommitError, Committed, Contested, PlanStore, RememberedCommand, Room, Staged};
pub use progress::{Progress, ProgressDetails, ProgressError, ProgressKind, ReplayProgress};
pub use repository::{
    Mutation, OrderNotFound, OrderRepository, OrderUpdate, Plan, ProcessedCommand, RetrieveError, StoreUnavailable,
};
pub use request_queue::{NotSent, RequestClass, RequestReceiver, RequestSender, Taken, request_queue};
pub use sink::{Delivery, EventPlace, Held, Opened, Sink, SinkError, TargetMark};
pub use sink_handle::SinkHandle;
pub use sink_view::{EventState, EventView, Failure, FailureOutcome, LaneView, ReplayView, SinkView};
pub use status::{Ahead, JournalStatus, SinkMonitor, SinkState, SinkStatus, StoreCondition, StoreStatus};
pub use status_model::StatusModel;
pub use storage::{FileIdentity, Storage, StorageFile};
pub use window_bits::{WINDOW_EVENTS_MAX, WindowBits};
