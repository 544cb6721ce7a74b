//! A look at a store, a share of its orders at a time.

use std::sync::Arc;

use uuid::Uuid;

use super::maintenance_test::{House, NEVER};
use super::stored::{OrderTimes, PlanContext, encode};
use super::{OrderTable, inspect_in_shares, inspect_store};
use crate::contracts::{Lsn, Plan, Sequence, Storage};
use crate::domain::{Cents, CustomerId, Order, OrderId, OrderState, Timestamp};
use crate::journal::testing::{append, start};
use crate::testkit::{STORE_ID, SteppedClock, Watched};

#[test]
fn a_look_in_shares_finds_what_a_look_at_once_finds() {
    let mut house = House::new(NEVER);
    for checkpoint_lsn in [Lsn::ZERO, Lsn(150)] {
        house.plan_times(150);
        let storage = &house.storage.memory;
        let (state, report) = inspect_store(storage, STORE_ID, Lsn::ZERO).unwrap();
        assert_eq!(report.checkpoint_lsn, checkpoint_lsn);
        for orders_about in [0, 600_000, u64::MAX] {
            let found = inspect_in_shares(storage, STORE_ID, Lsn::ZERO, orders_about).unwrap();
            assert_eq!((found.orders, found.last_sequence), (state.orders.count() as u64, state.last_sequence));
            assert_eq!(found.report.checkpoint_lsn, checkpoint_lsn);
            assert_eq!(found.report.journal.last_lsn, Lsn(house.plans));
        }
        house.checkpoint();
    }
}

/// A placed and completed order whose second plan says that it was placed then.
fn written(placed_at: impl Fn(&OrderState) -> Timestamp) -> Watched {
    let storage = Watched::new();
    let mut journal = start(&storage);
    let at = |micros| Timestamp::from_micros(micros).unwrap();
    let mut placed = Order::place(OrderId::new(Uuid::from_u128(1)), CustomerId::new(Uuid::nil()), Cents::MAX, at(5));
    let mut completed = Order::rehydrate(*placed.state());
    completed.complete(at(6)).unwrap();
    let before = OrderTimes { placed_at: placed_at(placed.state()), completed_at: None };
    let first =
        PlanContext { first_sequence: Sequence(1), source: "/orderd", epoch: 1, previous_lsn: Lsn::ZERO, before: None };
    let second = PlanContext { first_sequence: Sequence(2), previous_lsn: Lsn(1), before: Some(before), ..first };
    for (order, context) in [(&mut placed, first), (&mut completed, second)] {
        let mut body = Vec::new();
        encode(&Plan::for_order(&OrderTable::default(), order), context, &mut body);
        append(&mut journal, &body);
    }
    storage
}

#[test]
fn a_plan_that_says_other_times_of_its_order_than_it_had_is_damage() {
    let opens = |storage: &Watched| {
        let shared: Arc<dyn Storage> = Arc::new(storage.clone());
        let options = crate::fuzzing::base::store_options(7);
        let opened = super::open_store(&shared, Arc::new(SteppedClock::default()), STORE_ID, &options, &[]);
        opened.map(drop).map_err(|error| error.to_string())
    };
    let looks = |storage: &Watched| {
        inspect_in_shares(storage, STORE_ID, Lsn::ZERO, u64::MAX).map(drop).map_err(|error| error.to_string())
    };
    let sound = written(|order| order.placed_at);
    assert_eq!((looks(&sound), opens(&sound)), (Ok(()), Ok(())));
    let forged = written(|_| Timestamp::from_micros(4).unwrap());
    for refused in [looks(&forged), opens(&forged)] {
        let problem = refused.unwrap_err();
        assert!(problem.contains("other times") && problem.contains("offset"), "{problem}");
    }
}
