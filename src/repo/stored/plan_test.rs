use uuid::Uuid;

use super::*;
use crate::contracts::{Fingerprint, OrderNotFound, OrderRepository, ProcessedCommand};
use crate::domain::{CancelReason, Cents, CommandId, CustomerId, Order, OrderId, Timestamp};

struct NoOrders;

impl OrderRepository for NoOrders {
    fn retrieve(&self, order_id: OrderId) -> Result<Order, OrderNotFound> {
        Err(OrderNotFound(order_id))
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn remembered(order: &Order) -> Plan {
    let mut plan = Plan::for_order(&NoOrders, order);
    let command_id = CommandId::new(Uuid::from_u128(0x33));
    plan.remember(ProcessedCommand { command_id, fingerprint: Fingerprint(Uuid::from_u128(0x44)) });
    plan
}

fn plans() -> [Plan; 3] {
    let now = 1_795_000_000_000_000;
    let amount = Cents::new(129_900).unwrap();
    let placed =
        Order::place(OrderId::new(Uuid::from_u128(0x11)), CustomerId::new(Uuid::from_u128(0x22)), amount, at(now));
    let mut completed = Order::rehydrate(*placed.state());
    completed.complete(at(now + 1)).unwrap();
    let mut cancelled = Order::rehydrate(*completed.state());
    cancelled.cancel(at(now + 2), Some(CancelReason::new("late").unwrap())).unwrap();
    [placed, completed, cancelled].map(|order| remembered(&order))
}

#[test]
fn a_plan_reads_back_as_stored() {
    for plan in plans() {
        let mut body = vec![1, 2, 3];
        encode(&plan, Sequence(7_000_000), "/orderd", &mut body);
        let stored = PlanRecord::decode(&body).unwrap();
        assert_eq!((stored.first_sequence, stored.source), (Sequence(7_000_000), "/orderd"));
        assert_eq!(stored.mutations, plan.mutations());
        assert!(PlanRecord::decode(&body[..body.len() - 1]).is_err());
        body.push(0);
        assert!(PlanRecord::decode(&body).is_err());
    }
}

#[test]
fn a_plan_with_its_frame_takes_at_most_256_bytes() {
    for plan in plans().iter().take(2) {
        let mut body = Vec::new();
        encode(plan, Sequence(u64::from(u32::MAX)), "/orderd", &mut body);
        let frame = crate::journal::FRAME_HEADER_LEN + body.len().next_multiple_of(8);
        assert!(frame <= 256, "{frame} bytes");
    }
}

#[test]
fn a_stored_plan_keeps_its_bytes() {
    let stored = plans().map(|plan| {
        let mut body = Vec::new();
        encode(&plan, Sequence(5), "/orderd", &mut body);
        body.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    });
    let expected = include_str!("plan_golden.txt").lines().collect::<Vec<_>>();
    assert_eq!(stored.as_slice(), expected);
}
