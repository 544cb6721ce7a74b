//! The orders of a snapshot, read page by page in short transactions: by id, which gives each a place that it keeps.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use uuid::Uuid;

use super::order_row::{bigint, order, unsigned};
use super::pool::Pool;
use super::{Database, DatabaseError};
use crate::contracts::{Lsn, OrderRow, OrderRows, RowsAnswer, SnapshotStart};

/// How long a page is waited for before it is asked for again.
const AGAIN: Duration = Duration::from_millis(250);

/// Reads on a thread of its own, for as long as somebody has it.
pub struct PostgresRows {
    pages: Sender<Page>,
}

/// A page that is asked for.
struct Page {
    from: u64,
    count: usize,
    answer: RowsAnswer,
}

impl PostgresRows {
    /// The orders that there were when the snapshot of `sink` began.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn new(database: Database, sink: &str, start: SnapshotStart) -> std::io::Result<Self> {
        let (pages, asked) = bounded(1);
        let reader = Reader { pool: Pool::new(database, "snapshot"), lsn: start.lsn, read: 0, last: Uuid::nil() };
        std::thread::Builder::new().name(format!("snapshot-{sink}")).spawn(move || reader.run(&asked))?;
        Ok(Self { pages })
    }
}

impl OrderRows for PostgresRows {
    fn ask(&self, from: u64, count: usize, answer: RowsAnswer) -> bool {
        match self.pages.try_send(Page { from, count, answer }) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => true,
            Err(TrySendError::Full(_)) => false,
        }
    }
}

struct Reader {
    pool: Pool,
    lsn: Lsn,
    /// How many orders were read in a row, and the last of them: the next page begins there.
    read: u64,
    last: Uuid,
}

impl Reader {
    fn run(mut self, asked: &Receiver<Page>) {
        while let Ok(mut page) = asked.recv() {
            loop {
                match self.read(&page) {
                    Ok(rows) => {
                        (page.answer)(rows);
                        break;
                    }
                    Err(error) => tracing::debug!(%error, "the orders of a snapshot cannot be read now"),
                }
                // A newer question takes the place of this one.
                match asked.recv_timeout(AGAIN) {
                    Ok(newer) => page = newer,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        }
    }

    fn read(&mut self, page: &Page) -> Result<Vec<OrderRow>, DatabaseError> {
        // The last order that was read is passed over; whoever begins in the middle passes over all before.
        let follows = page.from == self.read && self.read > 0;
        let (after, passed) = if follows { (self.last, 1) } else { (Uuid::nil(), bigint(page.from)) };
        let count = i64::try_from(page.count).unwrap_or(i64::MAX);
        let rows: Vec<OrderRow> = self.pool.ask(|connection| {
            let rows = connection.query("read_snapshot", &[&after, &passed, &bigint(self.lsn.0), &count])?;
            rows.iter().map(|row| Ok(OrderRow { state: order(row, 0)?, last_lsn: Lsn(unsigned(row, 8)?) })).collect()
        })?;
        if let Some(last) = rows.last() {
            (self.read, self.last) = (page.from.saturating_add(rows.len() as u64), last.state.order_id.uuid());
        }
        Ok(rows)
    }
}
