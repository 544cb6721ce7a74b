//! Answers that waiting does not change.

use lapin::options::ExchangeDeleteOptions;
use lapin::types::FieldTable;
use orderd_sink_testing::{FakeDaemon, Told, check_arrivals, event, event_with, eventually, orders};

use crate::setup::RabbitMq;

fn is_blocked(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: true, .. })
}

#[test]
fn a_missing_exchange_blocks_until_it_is_there() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    let _connector = rabbitmq.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("NOT_FOUND") || reason.contains("no exchange"), "{reason}");
    rabbitmq.declare();
    daemon.wait_delivered(2);
    // The exchange goes while we are connected.
    let (_connection, channel) = rabbitmq.channel();
    rabbitmq.run(channel.exchange_delete("orders".into(), ExchangeDeleteOptions::default())).unwrap();
    let before = daemon.told().len();
    daemon.publish([event(3, 3, 1)]);
    eventually("blocked again", || daemon.told()[before..].iter().any(is_blocked).then_some(()));
    rabbitmq.declare();
    daemon.wait_delivered(3);
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. } | Told::Failed { .. })));
}

#[test]
fn an_event_that_no_queue_takes_is_never_delivered() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare_exchange();
    // Placed and completed orders have a queue, cancelled ones have none.
    rabbitmq.bind_queue(FieldTable::default(), "orders.OrderPlaced");
    rabbitmq.bind_queue(FieldTable::default(), "orders.OrderCompleted");
    let _connector = rabbitmq.connector(&daemon, "");
    let published = orders(200);
    daemon.publish(published.clone());
    let Told::Unavailable { reason, .. } = daemon.wait_told("blocked", is_blocked) else { unreachable!() };
    assert!(reason.contains("orders.OrderCancelled") && reason.contains("NO_ROUTE"), "{reason}");
    let delivered = daemon.delivered();
    assert!(delivered.iter().all(|sequence| *sequence <= 400), "{delivered:?}");
    rabbitmq.bind_queue(FieldTable::default(), "orders.#");
    daemon.wait_delivered(600);
    let stored = rabbitmq.stored();
    check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
    // And with nothing bound at all.
    let (_connection, channel) = rabbitmq.channel();
    for key in ["orders.OrderPlaced", "orders.OrderCompleted", "orders.#"] {
        let none = FieldTable::default();
        rabbitmq.run(channel.queue_unbind("all".into(), "orders".into(), key.into(), none)).unwrap();
    }
    let before = daemon.told().len();
    daemon.publish([event(601, 900, 1)]);
    eventually("blocked again", || daemon.told()[before..].iter().any(is_blocked).then_some(()));
    assert_eq!(daemon.delivered().len(), 600);
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::on(daemon.dir(), orderd_sink_testing::free_port(), "max_message_size = 2000");
    rabbitmq.declare();
    let _connector = rabbitmq.connector(&daemon, "");
    let metadata = format!(r#","metadata":{{"note":"{}"}}"#, "x".repeat(3_000));
    let large = event_with(2, 1, 1, "", &metadata);
    daemon.publish([event(1, 2, 1), large, event(3, 3, 1), event(4, 1, 2), event(5, 2, 2)]);
    daemon.wait_delivered(3);
    let told = daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { .. }));
    assert!(matches!(told, Told::Rejected { sequence: 2, .. }), "{told:?}");
    let stored = rabbitmq.stored();
    let published = [event(1, 2, 1), event(3, 3, 1), event(5, 2, 2)];
    check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
}
