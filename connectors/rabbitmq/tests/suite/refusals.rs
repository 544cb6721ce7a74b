//! Answers that waiting does not change.

use lapin::options::ExchangeDeleteOptions;
use lapin::types::FieldTable;
use orderd_sink_testing::scenarios::a_too_large_event_is_rejected_alone;
use orderd_sink_testing::{FakeDaemon, Target as _, Told, check_arrivals, event, free_port, orders};

use crate::setup::RabbitMq;

#[test]
fn a_missing_exchange_blocks_until_it_is_there() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    let _connector = rabbitmq.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_blocked();
    assert!(reason.contains("NOT_FOUND") || reason.contains("no exchange"), "{reason}");
    rabbitmq.declare();
    daemon.wait_delivered(2);
    // The exchange goes while we are connected.
    let (_connection, channel) = rabbitmq.channel();
    rabbitmq.run(channel.exchange_delete("orders".into(), ExchangeDeleteOptions::default())).unwrap();
    daemon.wait_told_after("blocked again", || daemon.publish([event(3, 3, 1)]), Told::is_blocked);
    rabbitmq.declare();
    daemon.wait_delivered(3);
    daemon.assert_nothing_blamed();
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
    let reason = daemon.wait_blocked();
    assert!(reason.contains("orders.OrderCancelled") && reason.contains("NO_ROUTE"), "{reason}");
    let delivered = daemon.delivered();
    assert!(delivered.iter().all(|sequence| *sequence <= 400), "{delivered:?}");
    rabbitmq.bind_queue(FieldTable::default(), "orders.#");
    daemon.wait_delivered(600);
    check_arrivals(&published, &rabbitmq.stored());
    // And with nothing bound at all.
    let (_connection, channel) = rabbitmq.channel();
    for key in ["orders.OrderPlaced", "orders.OrderCompleted", "orders.#"] {
        let none = FieldTable::default();
        rabbitmq.run(channel.queue_unbind("all".into(), "orders".into(), key.into(), none)).unwrap();
    }
    daemon.wait_told_after("blocked again", || daemon.publish([event(601, 900, 1)]), Told::is_blocked);
    assert_eq!(daemon.delivered().len(), 600);
}

#[test]
fn an_event_that_is_too_large_is_rejected_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let rabbitmq = RabbitMq::on(dir.path(), free_port(), "max_message_size = 2000");
    rabbitmq.declare();
    a_too_large_event_is_rejected_alone(&rabbitmq, "", 3_000);
}
