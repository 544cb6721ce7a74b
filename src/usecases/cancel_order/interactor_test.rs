use super::*;
use crate::contracts::Mutation;
use crate::domain::{OrderEvent, OrderStatus};
use crate::usecases::fake_repository::{at, order_id, with_placed_order};

fn request() -> Request {
    Request { order_id: order_id(), reason: Some(CancelReason::new("out of stock").unwrap()), now: at(200) }
}

#[test]
fn one_plan_holds_the_orders_change_and_its_outbox_entry() {
    let repository = with_placed_order();
    let plan = Interactor::new(&repository).execute(request()).unwrap();
    let [Mutation::UpdateOrder(update), Mutation::InsertOutbox(entry)] = plan.mutations() else {
        panic!("an update and an outbox entry, got {plan:?}");
    };
    assert_eq!((update.status, update.cancelled_at), (Some(OrderStatus::Cancelled), Some(at(200))));
    assert_eq!((update.completed_at, update.total_amount), (None, None));
    let OrderEvent::Cancelled(event) = &entry.event else { panic!("cancelled, got {entry:?}") };
    assert_eq!((event.cancelled_from, event.reason.clone()), (OrderStatus::Placed, request().reason));
}

#[test]
fn an_unknown_order_and_a_second_cancellation_give_no_plan() {
    let mut repository = with_placed_order();
    repository.orders.get_mut(&order_id()).unwrap().status = OrderStatus::Cancelled;
    let refused = Interactor::new(&repository).execute(request());
    assert!(matches!(refused, Err(Error::Transition(_))), "{refused:?}");
    repository.orders.clear();
    let refused = Interactor::new(&repository).execute(request());
    assert_eq!(refused, Err(Error::Retrieve(crate::contracts::OrderNotFound(order_id()).into())));
}
