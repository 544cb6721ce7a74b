//! The write-ahead journal: checked frames in segments, made durable in batches, read back after a crash.
//!
//! It knows bytes and LSNs; what a frame's body means is `repo`'s affair. `docs/journal.md` has the whole story.

mod chain;
mod checkpoint;
mod cut;
mod error;
mod file_header;
mod format;
mod identity;
mod last_segment;
mod options;
mod prepared;
#[cfg(test)]
mod prepared_test;
mod reader;
mod recovery;
mod rotation;
mod scan;
mod segment;
mod segment_map;
mod segment_preparer;
mod store_id;
mod writer;

#[cfg(test)]
mod checkpoint_test;
#[cfg(test)]
mod journal_test;
#[cfg(test)]
mod reader_test;
#[cfg(test)]
mod recovery_test;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod writer_test;

pub use chain::{ChainEnd, ChainPoint};
pub use checkpoint::{
    CHECKPOINT_HEADER_LEN, CheckpointError, CheckpointReader, CheckpointWriter, checkpoint_name, list_checkpoints,
    parse_checkpoint_name,
};
pub use cut::plan_end;
pub use error::RecoveryError;
pub use file_header::HeaderError;
pub use format::{FRAME_BODY_BYTES_MAX, FRAME_HEADER_LEN};
pub use identity::{IdentityError, create_store, open_backup, open_store};
pub use options::JournalOptions;
pub use prepared::{PREPARED_PATH, prepared_base};
pub use reader::{FrameRef, JournalReader};
pub use recovery::{
    Recovered, Recovery, Redo, RedoError, RedoFrame, RedoProblem, RedoRange, TornTail, inspect, inspect_files,
    oldest_lsn, per_frame, recover, sync_up_to,
};
pub use segment::{TEMPORARY_SUFFIX, list_segments, segment_path};
pub use segment_map::{FrameMark, JournalHandle, SegmentInfo, SegmentMap};
pub use segment_preparer::SegmentPreparer;
pub use store_id::StoreId;
pub use writer::Journal;

/// What fuzzers see of the bytes.
#[cfg(any(test, fuzzing))]
pub(crate) mod bytes {
    pub use super::format::{FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader};
    pub use super::scan::{Scan, Step, Tail};
}

/// Where everything but the lock lies, below the data directory.
pub const STORE_DIR: &str = "store";
/// The segments.
pub const JOURNAL_DIR: &str = "store/journal";
/// The checkpoints.
pub const CHECKPOINTS_DIR: &str = "store/checkpoints";
/// The sinks' cursors.
pub const CURSORS_DIR: &str = "store/cursors";
