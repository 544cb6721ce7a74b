use super::*;
use crate::contracts::{Request, RequestReceiver, Ticket, request_queue};
use crate::domain::OrderId;

fn envelope(connection: u64) -> Envelope {
    let request = Request::Get { order_id: OrderId::new(uuid::Uuid::nil()) };
    Envelope { connection: ConnectionId(connection), ticket: Ticket(0), uid: 0, request }
}

fn admission(commands_max: usize, bytes_max: usize) -> (Admission, RequestReceiver) {
    let (sender, receiver) = request_queue(Admission::express_max(100), Admission::bulk_max(100, commands_max));
    (Admission::new(sender, commands_max, bytes_max), receiver)
}

fn admit_all(admission: &mut Admission, standing: &mut Standing, count: usize) -> usize {
    (0..count).filter(|_| admission.admit(standing, envelope(1), 100, true).is_ok()).count()
}

#[test]
fn one_connection_alone_has_the_whole_queue_and_those_who_come_late_their_part() {
    let (mut admission, _receiver) = admission(1000, usize::MAX);
    let mut standings: Vec<Standing> = (0..5).map(|_| Standing::default()).collect();
    let admitted: Vec<usize> = standings.iter_mut().map(|standing| admit_all(&mut admission, standing, 5000)).collect();
    assert_eq!(admitted, [1000, 500, 333, 167, 1], "until it is twice as full as it should be");
}

#[test]
fn who_has_little_in_flight_is_never_refused() {
    let (mut admission, _receiver) = admission(1000, usize::MAX);
    let mut flood: Vec<Standing> = (0..16).map(|_| Standing::default()).collect();
    for standing in &mut flood {
        admit_all(&mut admission, standing, 1024);
    }
    for _ in 0..10 {
        let mut honest = Standing::default();
        for _ in 0..EXPRESS_IN_FLIGHT_MAX {
            assert_eq!(admission.admit(&mut honest, envelope(2), 100, false), Ok(()));
        }
    }
    assert_eq!(admission.admit(&mut flood[0], envelope(1), 100, true), Err(Refusal::Overloaded));
}

#[test]
fn bytes_are_divided_like_commands() {
    let (mut admission, _receiver) = admission(1_000_000, 20_000);
    let mut heavy = Standing::default();
    assert_eq!(admit_all(&mut admission, &mut heavy, 1000), 199);
    let mut other = Standing::default();
    assert_eq!(admit_all(&mut admission, &mut other, 1000), 99);
}

#[test]
fn what_the_executor_has_of_closed_connections_still_counts() {
    let (mut admission, _receiver) = admission(100, usize::MAX);
    let mut gone = Standing::default();
    assert_eq!(admit_all(&mut admission, &mut gone, 200), 100);
    admission.depart(ConnectionId(1), gone);
    let mut next = Standing::default();
    assert_eq!(admit_all(&mut admission, &mut next, 100), 50);
    for _ in 0..100 {
        admission.settle_departed(ConnectionId(1));
    }
    admission.settle_departed(ConnectionId(1));
    assert_eq!((admission.commands, admission.bytes, admission.busy), (50, 5000, 1));
    assert!(admission.departed.is_empty());
    for _ in 0..50 {
        admission.settle(&mut next, 100);
    }
    assert_eq!((admission.commands, admission.bytes, admission.busy), (0, 0, 0));
}

#[test]
fn a_connection_is_express_again_only_when_nothing_of_it_is_in_flight() {
    let (mut admission, _receiver) = admission(1000, usize::MAX);
    let mut standing = Standing::default();
    for _ in 0..EXPRESS_IN_FLIGHT_MAX {
        admission.admit(&mut standing, envelope(1), 1, false).unwrap();
        assert_eq!(standing.class, RequestClass::Express);
    }
    admission.admit(&mut standing, envelope(1), 1, false).unwrap();
    assert_eq!(standing.class, RequestClass::Bulk);
    for _ in 0..EXPRESS_IN_FLIGHT_MAX {
        admission.settle(&mut standing, 1);
    }
    admission.admit(&mut standing, envelope(1), 1, false).unwrap();
    assert_eq!(standing.class, RequestClass::Bulk, "it would overtake the one that is left");
    admission.settle(&mut standing, 1);
    admission.settle(&mut standing, 1);
    admission.admit(&mut standing, envelope(1), 1, false).unwrap();
    assert_eq!(standing.class, RequestClass::Express);
}
