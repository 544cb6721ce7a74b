use uuid::Uuid;

use super::*;
use crate::contracts::Mutation;
use crate::domain::{OrderEvent, OrderStatus};
use crate::usecases::fake_repository::{at, order_id, with_placed_order};

fn request(order_id: OrderId) -> Request {
    let customer_id = CustomerId::new(Uuid::from_u128(5));
    Request { order_id, customer_id, total_amount: Cents::new(1999).unwrap(), now: at(300) }
}

#[test]
fn one_plan_holds_the_new_order_and_its_outbox_entry() {
    let repository = with_placed_order();
    let request = request(OrderId::new(Uuid::from_u128(3)));
    let plan = Interactor::new(&repository).execute(&request).unwrap();
    let [Mutation::InsertOrder(order), Mutation::InsertOutbox(entry)] = plan.mutations() else {
        panic!("an order and an outbox entry, got {plan:?}");
    };
    assert_eq!((order.order_id, order.customer_id), (request.order_id, request.customer_id));
    assert_eq!((order.status, order.version, order.placed_at), (OrderStatus::Placed, 1, at(300)));
    let OrderEvent::Placed(event) = &entry.event else { panic!("placed, got {entry:?}") };
    assert_eq!((event.customer_id, event.total_amount), (request.customer_id, request.total_amount));
}

#[test]
fn a_taken_id_gives_no_plan() {
    let repository = with_placed_order();
    let refused = Interactor::new(&repository).execute(&request(order_id()));
    assert_eq!(refused, Err(Error::OrderExists(order_id())));
}
