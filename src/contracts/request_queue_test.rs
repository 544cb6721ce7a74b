use super::*;
use crate::contracts::{ConnectionId, Request, Ticket};
use crate::domain::OrderId;

fn envelope(connection: u64, ticket: u64) -> Envelope {
    let order_id = OrderId::new(uuid::Uuid::nil());
    Envelope {
        connection: ConnectionId(connection),
        ticket: Ticket(ticket),
        uid: 0,
        request: Request::Get { order_id },
    }
}

fn taken(receiver: &mut RequestReceiver, commands_max: usize) -> Vec<u64> {
    let mut batch = Vec::new();
    receiver.take(&mut batch, commands_max);
    batch.iter().map(|envelope| envelope.connection.0).collect()
}

#[test]
fn who_has_little_in_flight_is_in_the_next_batch_however_much_others_send() {
    let (sender, mut receiver) = request_queue(8, 10_000);
    for ticket in 0..5000 {
        sender.send(RequestClass::Bulk, envelope(1, ticket)).unwrap();
    }
    sender.send(RequestClass::Express, envelope(2, 0)).unwrap();
    let batch = taken(&mut receiver, 4096);
    assert_eq!(batch[0], 2);
    assert_eq!(batch.len(), BULK_BESIDE_EXPRESS_MAX, "and the batch is short");
    assert_eq!(taken(&mut receiver, 4096).len(), BULK_BESIDE_EXPRESS_MAX, "as is the one that the next request meets");
    assert_eq!(taken(&mut receiver, 4096).len(), 5000 - 2 * BULK_BESIDE_EXPRESS_MAX + 1, "and then no more");
    assert_eq!(receiver.take(&mut Vec::new(), 1), Taken::Nothing);
}

#[test]
fn who_has_much_in_flight_gets_a_part_of_every_batch() {
    let (sender, mut receiver) = request_queue(2000, 2000);
    for ticket in 0..2000 {
        sender.send(RequestClass::Bulk, envelope(1, ticket)).unwrap();
        sender.send(RequestClass::Express, envelope(2, ticket)).unwrap();
    }
    let batch = taken(&mut receiver, 4096);
    assert_eq!(batch.iter().filter(|connection| **connection == 2).count(), 2000);
    assert_eq!(batch.iter().filter(|connection| **connection == 1).count(), BULK_BESIDE_EXPRESS_MAX / BULK_PART);
}

#[test]
fn what_was_sent_express_first_is_executed_first() {
    let (sender, mut receiver) = request_queue(10, 10);
    for ticket in 0..10 {
        sender.send(RequestClass::Express, envelope(1, ticket)).unwrap();
    }
    sender.send(RequestClass::Bulk, envelope(1, 10)).unwrap();
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let mut batch = Vec::new();
        receiver.take(&mut batch, 4);
        tickets.extend(batch.iter().map(|envelope| envelope.ticket.0));
    }
    assert_eq!(tickets, (0..=10).collect::<Vec<_>>());
}

#[test]
fn it_is_finished_when_everything_is_taken_and_the_sender_is_gone() {
    let (sender, mut receiver) = request_queue(1, 1);
    sender.send(RequestClass::Bulk, envelope(1, 0)).unwrap();
    assert_eq!(sender.send(RequestClass::Bulk, envelope(1, 1)), Err(NotSent::Full));
    assert_eq!(sender.len(), 1);
    drop(sender);
    let mut batch = Vec::new();
    assert_eq!(receiver.take(&mut batch, 8), Taken::Some);
    assert_eq!(receiver.take(&mut batch, 8), Taken::Finished);
    let (sender, receiver) = request_queue(1, 1);
    drop(receiver);
    assert_eq!(sender.send(RequestClass::Express, envelope(1, 0)), Err(NotSent::Ended));
}

#[test]
fn what_ended_the_wait_keeps_its_place() {
    let (sender, mut receiver) = request_queue(10, 10);
    sender.send(RequestClass::Bulk, envelope(1, 0)).unwrap();
    let first = receiver.channels()[1].recv().unwrap();
    sender.send(RequestClass::Bulk, envelope(1, 1)).unwrap();
    sender.send(RequestClass::Express, envelope(2, 0)).unwrap();
    receiver.hold(RequestClass::Bulk, first);
    drop(sender);
    let mut batch = Vec::new();
    while receiver.take(&mut batch, 2) == Taken::Some {}
    let order: Vec<_> = batch.iter().map(|envelope| (envelope.connection.0, envelope.ticket.0)).collect();
    assert_eq!(order, [(2, 0), (1, 0), (1, 1)]);
}
