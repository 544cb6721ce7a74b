use std::sync::atomic::{AtomicUsize, Ordering};

use uuid::Uuid;

use super::*;
use crate::contracts::{DecisionPage, EventFeed, Lsn, OrderEvents, RowsAnswer, Sequence, SinkStartPoint, SinkType};
use crate::domain::{Cents, CustomerId, EventId, Order, OrderEvent, OrderId, OrderState, OrderStatus, Timestamp};

const POSITION: FeedPosition = FeedPosition { sequence: Sequence(1000), ..FeedPosition::START };

/// Orders that were placed before the position; those of the numbers in `changed` were completed after it.
struct World {
    orders: u64,
    changed: Vec<u64>,
    asked: AtomicUsize,
    /// Answers that wait for their turn.
    waiting: Mutex<Vec<(u64, usize, RowsAnswer)>>,
    busy: AtomicUsize,
}

fn order(number: u64) -> Order {
    let order_id = OrderId::new(Uuid::from_u128(u128::from(number) + 1));
    Order::place(order_id, CustomerId::new(Uuid::nil()), Cents::MAX, at(10))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

impl World {
    fn row(&self, number: u64) -> OrderRow {
        let mut order = order(number);
        if self.changed.contains(&number) {
            order.complete(at(20)).unwrap();
            return OrderRow { state: *order.state(), last_lsn: Lsn(2000 + number) };
        }
        OrderRow { state: *order.state(), last_lsn: Lsn(1 + number) }
    }

    /// The executor's turn.
    fn answer(&self) {
        for (from, count, answer) in self.waiting.lock().unwrap().drain(..) {
            answer((from..self.orders + 5).take(count).map(|number| self.row(number)).collect());
        }
    }
}

impl OrderRows for World {
    fn ask(&self, from: u64, count: usize, answer: RowsAnswer) -> bool {
        if self.busy.load(Ordering::SeqCst) > 0 {
            self.busy.fetch_sub(1, Ordering::SeqCst);
            return false;
        }
        assert!(count <= PAGE_ROWS && from + count as u64 <= self.orders, "rows from {from}, {count} of them");
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.waiting.lock().unwrap().push((from, count, answer));
        true
    }
}

impl EventHistory for World {
    fn oldest_sequence(&self) -> Result<Sequence, FeedError> {
        Ok(Sequence(1001))
    }

    fn last_sequence(&self) -> Sequence {
        Sequence(5000)
    }

    fn open_after(&self, _: Sequence) -> Result<Box<dyn EventFeed>, FeedError> {
        unreachable!("a snapshot reads no feed")
    }

    fn open_at(&self, _: FeedPosition) -> Result<Box<dyn EventFeed>, FeedError> {
        unreachable!("a snapshot reads no feed")
    }

    fn first_at_or_after(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        unreachable!("a snapshot looks for no time")
    }

    fn last_at_or_before(&self, _: Timestamp) -> Result<Option<Sequence>, FeedError> {
        unreachable!("a snapshot looks for no time")
    }

    /// Only what happened after the position is still held.
    fn order_events(&self, _: OrderId, last_lsn: Lsn) -> Result<OrderEvents, FeedError> {
        let mut order = Order::rehydrate(*order(last_lsn.0 - 2000).state());
        order.complete(at(20)).unwrap();
        let event = |raised: crate::domain::RaisedEvent| PublishedEvent {
            sequence: Sequence(last_lsn.0),
            entry: raised.into(),
            source: Arc::from("/orderd"),
            epoch: 1,
        };
        Ok(OrderEvents { events: order.take_events().into_iter().map(event).collect(), complete: false })
    }

    fn decisions(&self, _: Lsn, _: usize, _: usize) -> Result<DecisionPage, FeedError> {
        unreachable!("a snapshot looks for no decision")
    }
}

fn feed(world: &Arc<World>, read: u64) -> (SnapshotFeed, Arc<AtomicUsize>) {
    let record = SinkRecord {
        name: Arc::from("new"),
        start: SinkStartPoint {
            sink_type: SinkType::Subscription,
            after: POSITION.sequence,
            snapshot: Some(SnapshotStart { orders: world.orders, epoch: 3, lsn: Lsn(1600) }),
            source: Arc::from("/shop"),
        },
        paused: false,
        halted: false,
        snapshot_running: true,
        lanes: std::collections::BTreeMap::new(),
        parked_events: 0,
        parked_bytes: 0,
        skipped: Vec::new(),
        skipped_events: Vec::new(),
        replays: Vec::new(),
    };
    let woken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&woken);
    let wake = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let rows: Arc<dyn OrderRows> = Arc::clone(world) as Arc<dyn OrderRows>;
    let history: Arc<dyn EventHistory> = Arc::clone(world) as Arc<dyn EventHistory>;
    let feed = SnapshotFeed::of(&record, POSITION, read, rows, history, wake).unwrap();
    let over = SinkRecord { snapshot_running: false, ..record };
    let world = Arc::clone(world);
    assert!(SnapshotFeed::of(&over, POSITION, read, world.clone(), world, Arc::new(|| {})).is_none());
    (feed, woken)
}

fn world(orders: u64, changed: &[u64]) -> Arc<World> {
    let (asked, waiting, busy) = (AtomicUsize::new(0), Mutex::default(), AtomicUsize::new(0));
    Arc::new(World { orders, changed: changed.to_vec(), asked, waiting, busy })
}

fn read_all(world: &World, feed: &mut SnapshotFeed, count: usize) -> Vec<PublishedEvent> {
    let mut events = Vec::new();
    while feed.rows_read() < feed.orders() {
        feed.read(count, &mut events).unwrap();
        assert!(feed.page.len() <= 2 * PAGE_ROWS, "{} rows are held", feed.page.len());
        world.answer();
    }
    events
}

fn states(events: &[PublishedEvent]) -> Vec<OrderState> {
    let state = |event: &PublishedEvent| match event.entry.event {
        OrderEvent::Snapshot(state) => state,
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Cancelled(_) => {
            panic!("a snapshot, got {event:?}")
        }
    };
    events.iter().map(state).collect()
}

#[test]
fn each_order_that_there_was_comes_once_as_of_the_position() {
    let world = world(1500, &[0, 700, 1499]);
    let (mut feed, _) = feed(&world, 0);
    let events = read_all(&world, &mut feed, 100);
    // Neither an order that came later nor a change that came later shows.
    assert_eq!(states(&events), (0..1500).map(|number| *order(number).state()).collect::<Vec<_>>());
    for event in &events {
        assert_eq!((event.sequence, event.epoch, &*event.source), (POSITION.sequence, 3, "/shop"));
        assert_eq!(event.entry.id, EventId::of_snapshot(event.entry.event.order_id(), 3, 1000));
        assert_eq!((event.entry.order_version, event.entry.event.occurred_at()), (1, at(10)));
    }
    assert!(world.asked.load(Ordering::SeqCst) <= 5, "a page at a time");
    let mut none = Vec::new();
    feed.read(10, &mut none).unwrap();
    assert_eq!(none, []);
}

#[test]
fn the_same_rows_give_the_same_events_after_a_restart_or_a_rewind() {
    let world = world(900, &[3, 600]);
    let all = read_all(&world, &mut feed(&world, 0).0, 70);
    let (mut again, woken) = feed(&world, 500);
    assert_eq!(read_all(&world, &mut again, 1000), all[500..]);
    assert!(woken.load(Ordering::SeqCst) > 0, "who reads is woken");
    // What was asked for before the rewind is not taken for what is asked for after it.
    let (mut feed, _) = feed(&world, 0);
    feed.read(10, &mut Vec::new()).unwrap();
    feed.rewind(800);
    assert_eq!(read_all(&world, &mut feed, 10), all[800..]);
}

#[test]
fn a_change_back_to_what_was_is_told_from_the_chain_and_not_from_the_row() {
    let world = world(1, &[0]);
    let (mut feed, _) = feed(&world, 0);
    assert_eq!(world.row(0).state.status, OrderStatus::Completed);
    assert_eq!(states(&read_all(&world, &mut feed, 1))[0].status, OrderStatus::Placed);
}

#[test]
fn who_cannot_ask_is_woken_to_ask_again() {
    let world = world(3, &[]);
    world.busy.store(2, Ordering::SeqCst);
    let (mut feed, woken) = feed(&world, 0);
    for _ in 0..2 {
        feed.read(3, &mut Vec::new()).unwrap();
    }
    assert_eq!((woken.load(Ordering::SeqCst), world.asked.load(Ordering::SeqCst)), (2, 0));
    assert_eq!(read_all(&world, &mut feed, 3).len(), 3);
}
