use super::*;
use crate::contracts::{Mutation, OrderUpdate};
use crate::domain::{EventId, OrderEvent, OrderStatus};
use crate::usecases::fake_repository::{at, order_id, with_placed_order};

#[test]
fn one_plan_holds_the_orders_change_and_its_outbox_entry() {
    let repository = with_placed_order();
    let plan = Interactor::new(&repository).execute(&Request { order_id: order_id(), now: at(200) }).unwrap();
    let [Mutation::UpdateOrder(update), Mutation::InsertOutbox(entry)] = plan.mutations() else {
        panic!("an update and an outbox entry, got {plan:?}");
    };
    let only_what_changed = OrderUpdate {
        order_id: order_id(),
        from_version: 1,
        version: 2,
        customer_id: None,
        total_amount: None,
        status: Some(OrderStatus::Completed),
        completed_at: Some(at(200)),
        cancelled_at: None,
    };
    assert_eq!(*update, only_what_changed);
    let OrderEvent::Completed(event) = &entry.event else { panic!("completed, got {entry:?}") };
    assert_eq!((event.order_id, event.completed_at), (order_id(), at(200)));
    assert_eq!((entry.id, entry.order_version), (EventId::of_transition(order_id(), 2), 2));
}

#[test]
fn the_entrys_time_is_the_events_and_not_the_clocks() {
    let repository = with_placed_order();
    // A clock that has gone back: the order's time is lifted, and the entry's with it.
    let plan = Interactor::new(&repository).execute(&Request { order_id: order_id(), now: at(7) }).unwrap();
    assert_eq!(plan.outbox_entries().next().unwrap().event.occurred_at(), at(100));
}

#[test]
fn planning_twice_gives_the_same_plan() {
    let repository = with_placed_order();
    let request = Request { order_id: order_id(), now: at(200) };
    let interactor = Interactor::new(&repository);
    assert_eq!(interactor.execute(&request), interactor.execute(&request));
}

#[test]
fn an_unknown_order_and_a_refused_transition_give_no_plan() {
    let mut repository = with_placed_order();
    let unknown = OrderId::new(uuid::Uuid::from_u128(9));
    let refused = Interactor::new(&repository).execute(&Request { order_id: unknown, now: at(200) });
    assert_eq!(refused, Err(Error::Retrieve(crate::contracts::OrderNotFound(unknown).into())));

    repository.orders.get_mut(&order_id()).unwrap().status = OrderStatus::Cancelled;
    let refused = Interactor::new(&repository).execute(&Request { order_id: order_id(), now: at(200) });
    let Err(Error::Transition(error)) = refused else { panic!("refused, got {refused:?}") };
    assert_eq!((error.from, error.to), (OrderStatus::Cancelled, OrderStatus::Completed));
}
