//! One small store that the daemon's own code wrote, and its whole history: what targets damage.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use uuid::Uuid;

use crate::contracts::{
    ChangeRequest, Command, ConnectionId, Envelope, EventFeed, FeedPosition, Lsn, Outcome, PlanStore, Progress,
    ProgressDetails, Request, Sequence, Storage, Ticket,
};
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, OrderId, OrderState};
use crate::executor::{Executor, ExecutorOptions};
use crate::journal::{JournalHandle, JournalOptions, Redo, RedoRange, StoreId, create_store, inspect};

use crate::repo::{
    CursorFile, JournalOutbox, OpenError, OpenReport, SinkPosition, Store, StoreOptions, StoreState, cursor, lsn_of,
    open_store, write_checkpoint,
};
use crate::testkit::{Memory, NoIds, STORE_ID, SteppedClock};

pub const SINK: &str = "events";
const COMMAND_IDS_MAX: usize = 12;

/// The orders, and the last event's number.
pub type State = (Vec<OrderState>, Sequence);

pub struct Base {
    /// Every file of the store.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the store held after each plan; the first is the empty one.
    pub states: Vec<State>,
    /// The stored form of every plan.
    pub bodies: Vec<Vec<u8>>,
    /// What the older slot of the cursor says.
    pub cursor_lsn: Lsn,
}

pub fn uuid_of(store_id: StoreId) -> Uuid {
    Uuid::from_bytes(*store_id.as_bytes())
}

pub fn state_of(state: &StoreState) -> State {
    let mut orders: Vec<_> = state.orders.rows(0, usize::MAX).map(|row| row.state).collect();
    orders.sort_unstable_by_key(|order| order.order_id);
    (orders, state.last_sequence)
}

/// Segments so small that a few batches fill one.
pub fn store_options(boot: u64) -> StoreOptions {
    let journal = JournalOptions {
        segment_bytes: 1,
        bytes_max: 1 << 20,
        batch_bytes_max: 512,
        plan_bytes_max: (8 << 10) - 40,
        decisions_bytes: 0,
        full_probe: Duration::ZERO,
        epoch_seed: boot,
    };
    StoreOptions {
        journal,
        command_ids_max: COMMAND_IDS_MAX,
        event_source: Arc::from("/orderd"),
        redone_plans: Arc::default(),
    }
}

/// Opens the store as a start does.
pub fn open(memory: &Memory, boot: u64, cursor: Option<FeedPosition>) -> Result<(Store, OpenReport), OpenError> {
    let options = store_options(boot);
    let storage: Arc<dyn Storage> = Arc::new(memory.clone());
    let sinks: Vec<_> =
        cursor.map(|position| SinkPosition { path: cursor::path_of(SINK), position }).into_iter().collect();
    open_store(&storage, Arc::new(SteppedClock::default()), STORE_ID, &options, &sinks)
}

pub fn executor(store: Store) -> Executor<Store> {
    let options =
        ExecutorOptions { batch_commands_max: 16, batch_bytes_max: 512, orders_max: u64::MAX, conflict_retries_max: 3 };
    Executor::new(store, Arc::new(SteppedClock::default()), Box::new(NoIds), options)
}

/// Command number `number` of the one history that there is.
pub fn submission(number: u64) -> Envelope {
    let order_id = OrderId::new(Uuid::from_u128(u128::from(number / 3)));
    let command = match number % 3 {
        0 => Command::Place {
            order_id: Some(order_id),
            customer_id: CustomerId::new(Uuid::from_u128(7)),
            total_amount: Cents::new(number).unwrap(),
        },
        1 => Command::Complete { order_id },
        _ => Command::Cancel { order_id, reason: Some(CancelReason::new("r".repeat(number as usize)).unwrap()) },
    };
    let command_id = (!number.is_multiple_of(4)).then(|| CommandId::new(Uuid::from_u128(1000 + u128::from(number))));
    Envelope {
        connection: ConnectionId(1),
        ticket: Ticket(number),
        uid: 0,
        request: Request::Change(ChangeRequest { command, command_id, context: None }),
    }
}

/// Runs commands in batches of three, and keeps what the store held after each plan.
fn run(executor: &mut Executor<Store>, numbers: std::ops::Range<u64>, states: &mut Vec<State>) {
    let submissions: Vec<_> = numbers.map(submission).collect();
    for batch in submissions.chunks(3) {
        let answers = executor.run(batch).unwrap();
        for answer in &answers {
            let Outcome::Changed { order, lsn, duplicate: false } = &answer.outcome else { panic!("{answer:?}") };
            let (mut orders, sequence) = states.last().cloned().unwrap();
            orders.retain(|there| there.order_id != order.order_id);
            orders.push(*order);
            orders.sort_unstable_by_key(|order| order.order_id);
            states.push((orders, sequence.next()));
            assert_eq!(lsn.0 as usize, states.len() - 1);
        }
        assert_eq!(state_of(executor.store().state()), *states.last().unwrap());
    }
}

/// The state of a store that nobody else uses.
pub const fn source(store: &Store) -> &Store {
    store
}

fn checkpoint(memory: &Memory, executor: &Executor<Store>) {
    write_checkpoint(memory, STORE_ID, &mut source(executor.store())).unwrap();
}

/// The store, made once.
pub fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(make)
}

fn make() -> Base {
    let memory = Memory::with(&BTreeMap::new());
    create_store(&memory, STORE_ID).unwrap();
    let mut states = vec![(Vec::new(), Sequence::ZERO)];
    // Killed after a checkpoint.
    let mut first = executor(open(&memory, 1, None).unwrap().0);
    run(&mut first, 0..9, &mut states);
    checkpoint(&memory, &first);
    run(&mut first, 9..12, &mut states);
    drop(first);
    // Stopped after another, with a cursor that was saved twice.
    let mut second = executor(open(&memory, 2, None).unwrap().0);
    run(&mut second, 12..18, &mut states);
    checkpoint(&memory, &second);
    run(&mut second, 18..21, &mut states);
    let store = second.store();
    let index = Arc::clone(store.journal().index());
    let files = JournalHandle { storage: Arc::new(memory.clone()), index, store_id: STORE_ID };
    let start = JournalOutbox::beginning(files.clone(), store.state().last_sequence).unwrap();
    let mut outbox = JournalOutbox::open(files, Arc::clone(store.durable_sequence()), start).unwrap();
    let mut cursor = CursorFile::create(&memory, SINK, uuid_of(STORE_ID), start).unwrap();
    let mut events = Vec::new();
    outbox.read(19, &mut events).unwrap();
    cursor.save(outbox.position(), ProgressDetails::default()).unwrap();
    let cursor_lsn = lsn_of(&outbox.position());
    outbox.read(1, &mut events).unwrap();
    cursor.save(outbox.position(), ProgressDetails::default()).unwrap();
    second.store_mut().close().unwrap();
    // Killed, with a batch that nothing proves.
    let mut third = executor(open(&memory, 3, Some(cursor.position())).unwrap().0);
    run(&mut third, 21..27, &mut states);
    drop(third);
    let mut bodies = Vec::new();
    let keep: &mut Redo<'_> = &mut |frames| {
        bodies.extend(frames.iter().map(|frame| frame.body.to_vec()));
        Ok(())
    };
    inspect(&memory, STORE_ID, &RedoRange { after: Lsn::ZERO, must_reach: Lsn::ZERO, points: Vec::new() }, keep)
        .unwrap();
    assert_eq!(bodies.len(), states.len() - 1);
    Base { files: memory.files(), states, bodies, cursor_lsn }
}
