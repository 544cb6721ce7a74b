//! How far sinks and replays are, in rows that ask for the epoch of their relay.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::feed::feed_error;
use super::order_row::{bigint, column, out_of_range, unsigned};
use super::pool::Pool;
use super::{Database, DatabaseError, Held, Leases};
use crate::contracts::{
    EventHistory, FeedError, FeedPosition, Progress, ProgressDetails, ProgressError, ProgressKind, ReplayProgress,
    ReplaySpec, Sequence, TargetMark, WindowBits,
};

/// The progress of a sink that this daemon relays, or of one of its replays.
pub struct PostgresProgress {
    pool: Arc<Pool>,
    leases: Arc<Leases>,
    sink: Arc<str>,
    replay_id: Option<Uuid>,
    epoch: i64,
    store_epoch: i64,
    position: FeedPosition,
    details: ProgressDetails,
}

/// The statement that saves, and the words for one that is deposed.
const MOVE_CURSOR: &str = "move_cursor";
const MOVE_REPLAY: &str = "move_replay";

impl PostgresProgress {
    pub(super) fn of_sink(
        database: Database,
        leases: Arc<Leases>,
        sink: Arc<str>,
        (epoch, store_epoch): (i64, i64),
        position: FeedPosition,
        details: ProgressDetails,
    ) -> Self {
        let pool = Arc::new(Pool::new(database, "cursor"));
        Self { pool, leases, sink, replay_id: None, epoch, store_epoch, position, details }
    }

    /// The epoch that its saves ask for.
    #[must_use]
    pub const fn epoch(&self) -> i64 {
        self.epoch
    }

    /// The store's epoch at the election.
    #[must_use]
    pub fn store_epoch(&self) -> u32 {
        u32::try_from(self.store_epoch).unwrap_or(1)
    }

    fn store(&self, position: FeedPosition, details: &ProgressDetails) -> Result<bool, DatabaseError> {
        let (sequence, acked_epoch) = (bigint(position.sequence.0), i64::from(position.epoch));
        let (bits, mark) = (details.window.bytes(), mark_bytes(details.file));
        let events = i32::try_from(details.window.len()).unwrap_or_default();
        let (taken, given_up) = (bigint(details.delivered), bigint(details.failed));
        let rows = (details.kind == ProgressKind::Snapshot).then_some(bigint(details.rows));
        let sink = &*self.sink;
        let mut params: Vec<super::connection::Param<'_>> =
            vec![&sink, &self.epoch, &sequence, &bits, &acked_epoch, &events, &mark];
        let name = match &self.replay_id {
            None => {
                params.push(&rows);
                params.push(&self.store_epoch);
                MOVE_CURSOR
            }
            Some(replay_id) => {
                params.push(replay_id);
                params.push(&taken);
                params.push(&given_up);
                params.push(&self.store_epoch);
                MOVE_REPLAY
            }
        };
        self.pool.ask(|connection| Ok(!connection.query(name, &params)?.is_empty()))
    }
}

impl Progress for PostgresProgress {
    fn position(&self) -> FeedPosition {
        self.position
    }

    fn details(&self) -> &ProgressDetails {
        &self.details
    }

    fn save(&mut self, position: FeedPosition, details: ProgressDetails) -> Result<(), ProgressError> {
        match self.store(position, &details) {
            Ok(true) => {
                (self.position, self.details) = (position, details);
                Ok(())
            }
            Ok(false) => {
                self.leases.lost(&self.sink, self.epoch);
                let why = "another daemon relays it, or a failover has rewound the database";
                Err(ProgressError::Deposed(format!("sink {}: {why}", self.sink)))
            }
            Err(error) => Err(ProgressError::TryAgain(format!("the database: {error}"))),
        }
    }

    fn is_held(&self, now: Duration) -> bool {
        self.leases.is_held(&self.sink, self.epoch, now)
    }
}

/// The progress of replays, beside what was decided about them.
pub struct PostgresReplays {
    pool: Arc<Pool>,
    database: Database,
    leases: Arc<Leases>,
    history: Arc<dyn EventHistory>,
}

impl PostgresReplays {
    /// Replays of the sinks that this daemon relays.
    #[must_use]
    pub fn new(database: Database, leases: Arc<Leases>, history: Arc<dyn EventHistory>) -> Self {
        Self { pool: Arc::new(Pool::new(database.clone(), "replays")), database, leases, history }
    }
}

impl ReplayProgress for PostgresReplays {
    fn open(&self, sink: &str, spec: &ReplaySpec) -> Result<Box<dyn Progress>, FeedError> {
        let not_relayed = || FeedError::OtherHistory(format!("this daemon does not relay the sink {sink}"));
        let Held { epoch, store_epoch, .. } = self.leases.held(sink).ok_or_else(not_relayed)?;
        let found = self.pool.ask(|connection| {
            let rows = connection.query("find_replay_progress", &[&sink, &spec.replay_id])?;
            let row = rows.first().ok_or_else(|| out_of_range("replay"))?;
            if column::<Option<i64>>(row, 0)?.is_none() {
                return Ok(None);
            }
            let (position, details) = position_and_details(row, 0)?;
            let (delivered, failed) = (unsigned(row, 5)?, unsigned(row, 6)?);
            Ok(Some((position, ProgressDetails { kind: ProgressKind::Replay, delivered, failed, ..details })))
        });
        let (position, details) = match found.map_err(|error| feed_error(&error))? {
            Some(found) => found,
            None => {
                let before = Sequence(spec.from.0.saturating_sub(1));
                let details = ProgressDetails { kind: ProgressKind::Replay, ..ProgressDetails::default() };
                (self.history.open_after(before)?.position(), details)
            }
        };
        Ok(Box::new(PostgresProgress {
            pool: Arc::new(Pool::new(self.database.clone(), "replay")),
            leases: Arc::clone(&self.leases),
            sink: Arc::from(sink),
            replay_id: Some(spec.replay_id),
            epoch,
            store_epoch,
            position,
            details,
        }))
    }

    /// The row goes with the decisions about it.
    fn close(&self, _sink: &str, _replay_id: Uuid) {}
}

/// Of a row with `acked_sequence`, `acked_epoch`, `window_bits`, `window_events` and `target_mark` from column `first` on.
pub(super) fn position_and_details(row: &Row, first: usize) -> Result<(FeedPosition, ProgressDetails), DatabaseError> {
    let epoch = u32::try_from(unsigned(row, first + 1)?).map_err(|_| out_of_range("epoch"))?;
    let position = FeedPosition { sequence: Sequence(unsigned(row, first)?), epoch, ..FeedPosition::START };
    let events = usize::try_from(column::<i32>(row, first + 3)?).map_err(|_| out_of_range("window"))?;
    let window = WindowBits::from_bytes(column(row, first + 2)?, events).ok_or_else(|| out_of_range("window"))?;
    let file = mark_of(column(row, first + 4)?).ok_or_else(|| out_of_range("mark of a file"))?;
    Ok((position, ProgressDetails { window, file, ..ProgressDetails::default() }))
}

/// `target_mark`: length, inode and device, 8 bytes each, little-endian; empty for none.
pub(super) fn mark_bytes(mark: TargetMark) -> Vec<u8> {
    if mark == TargetMark::default() {
        return Vec::new();
    }
    [mark.len, mark.inode, mark.device].map(u64::to_le_bytes).concat()
}

fn mark_of(bytes: &[u8]) -> Option<TargetMark> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    match *numbers {
        [] if rest.is_empty() => Some(TargetMark::default()),
        [len, inode, device] if rest.is_empty() => Some(TargetMark {
            len: u64::from_le_bytes(len),
            inode: u64::from_le_bytes(inode),
            device: u64::from_le_bytes(device),
        }),
        _ => None,
    }
}
