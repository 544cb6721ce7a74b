use uuid::Uuid;

use super::*;
use crate::domain::EventId;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn placed() -> Order {
    Order::place(
        OrderId::new(Uuid::from_u128(1)),
        CustomerId::new(Uuid::from_u128(2)),
        Cents::new(1250).unwrap(),
        at(100),
    )
}

/// As the repository would hand it out.
fn stored(order: &Order) -> Order {
    Order::rehydrate(*order.state())
}

fn in_status(status: OrderStatus) -> Order {
    let mut order = placed();
    match status {
        OrderStatus::Placed => {}
        OrderStatus::Completed => order.complete(at(200)).unwrap(),
        OrderStatus::Cancelled => order.cancel(at(200), None).unwrap(),
    }
    stored(&order)
}

#[test]
fn placing_raises_order_placed_with_all_its_data() {
    let order = placed();
    let OrderState { order_id, customer_id, total_amount, .. } = *order.state();
    let [raised] = order.events().events() else { panic!("one event") };
    assert_eq!(
        raised.event,
        OrderEvent::Placed(OrderPlaced { order_id, customer_id, total_amount, placed_at: at(100) })
    );
    assert_eq!((raised.order_version, raised.id), (1, EventId::of_transition(order_id, 1)));
    assert!(order.changes().is_changed(Field::CustomerId));
    assert!(!order.changes().is_changed(Field::CompletedAt));
}

#[test]
fn rehydrating_raises_nothing_and_marks_nothing() {
    let order = stored(&placed());
    assert!(order.events().events().is_empty());
    assert!(!order.changes().any());
}

#[test]
fn completing_updates_tracks_and_raises() {
    let mut order = in_status(OrderStatus::Placed);
    order.complete(at(300)).unwrap();
    let OrderState { order_id, customer_id, total_amount, .. } = *order.state();
    assert_eq!((order.state().status, order.state().version), (OrderStatus::Completed, 2));
    assert_eq!(order.state().completed_at, Some(at(300)));
    assert!(order.changes().is_changed(Field::Status) && order.changes().is_changed(Field::CompletedAt));
    assert!(!order.changes().is_changed(Field::TotalAmount) && !order.changes().is_changed(Field::CancelledAt));
    let [raised] = order.events().events() else { panic!("one event") };
    let expected = OrderCompleted { order_id, customer_id, total_amount, completed_at: at(300) };
    assert_eq!(raised.event, OrderEvent::Completed(expected));
    assert_eq!(raised.event.occurred_at(), at(300));
}

#[test]
fn cancelling_says_what_the_order_was_before_and_why() {
    for from in [OrderStatus::Placed, OrderStatus::Completed] {
        let mut order = in_status(from);
        let reason = CancelReason::new("changed my mind").unwrap();
        order.cancel(at(300), Some(reason.clone())).unwrap();
        let [raised] = order.events().events() else { panic!("one event") };
        let OrderEvent::Cancelled(event) = &raised.event else { panic!("cancelled") };
        assert_eq!((event.cancelled_from, event.reason.as_ref()), (from, Some(&reason)));
        assert_eq!((event.cancelled_at, order.state().cancelled_at), (at(300), Some(at(300))));
    }
}

#[test]
fn every_other_transition_is_refused_and_leaves_the_order_untouched() {
    for from in [OrderStatus::Completed, OrderStatus::Cancelled] {
        let mut order = in_status(from);
        let before = order.clone();
        let refused = order.complete(at(300)).unwrap_err();
        assert_eq!((refused.from, refused.to), (from, OrderStatus::Completed));
        assert_eq!(order, before);
    }
    let mut order = in_status(OrderStatus::Cancelled);
    let before = order.clone();
    assert_eq!(order.cancel(at(300), None).unwrap_err().to, OrderStatus::Cancelled);
    assert_eq!(order, before);
}

#[test]
fn an_orders_times_never_run_backwards() {
    let mut order = placed();
    order.complete(at(50)).unwrap();
    assert_eq!(order.state().completed_at, Some(at(100)));
    order.cancel(at(20), None).unwrap();
    assert_eq!(order.state().cancelled_at, Some(at(100)));
    assert_eq!(order.events().events().last().unwrap().event.occurred_at(), at(100));
}

#[test]
fn doing_it_twice_gives_the_same_event() {
    let [mut first, mut second] = [in_status(OrderStatus::Placed), in_status(OrderStatus::Placed)];
    first.complete(at(300)).unwrap();
    second.complete(at(300)).unwrap();
    assert_eq!(first.events(), second.events());
}

#[test]
fn the_past_of_an_order_can_be_told_from_its_present() {
    let mut order = placed();
    let mut history = vec![*order.state()];
    order.complete(at(200)).unwrap();
    history.push(*order.state());
    order.cancel(at(300), None).unwrap();
    history.push(*order.state());
    for past in &history {
        assert_eq!(order.state().as_of(past.version), *past);
    }
    let mut direct = placed();
    direct.cancel(at(200), None).unwrap();
    assert_eq!(direct.state().as_of(1), *placed().state());
    assert_eq!(direct.state().as_of(2), *direct.state());
}
