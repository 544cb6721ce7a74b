//! A server that is away, silent, or short of something.

use lapin::types::{AMQPValue, FieldTable};
use orderd_sink_testing::scenarios::a_silent_server_is_waited_for;
use orderd_sink_testing::{FakeDaemon, Program, Target as _, Told, check_arrivals, event, eventually, free_port};

use crate::setup::RabbitMq;

#[test]
fn a_server_that_is_away_at_the_start_or_silent_is_unavailable_and_events_arrive_when_it_is_back() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let keys = format!("url = \"amqp://127.0.0.1:{port}\"\nexchange = \"orders\"\nrouting_key = \"orders.x\"\n");
    let mut connector = Program::start(RabbitMq::BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_unavailable();
    let rabbitmq = RabbitMq::on(daemon.dir(), port, "");
    rabbitmq.declare();
    daemon.wait_delivered(1);
    connector.stop();
    assert_eq!(rabbitmq.stored().len(), 1);
    a_silent_server_is_waited_for(&rabbitmq, &rabbitmq.server);
}

#[test]
fn a_server_that_blocks_its_publishers_gets_nothing_until_it_takes_it_again() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::with_queue(daemon.dir());
    let _connector = rabbitmq.connector(&daemon, "timeout_ms = 1000\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    rabbitmq.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    // The server looks at its memory every few seconds, and tells a publisher when it publishes.
    let mut published = 1;
    eventually("blocked publishers", || {
        let says_so = |told: &Told| told.is_passing() && told.reason().contains("blocks its publishers");
        if daemon.told().iter().any(says_so) {
            return Some(());
        }
        if daemon.delivered().len() == published {
            published += 10;
            daemon.publish((published - 9..=published).map(|n| n as u64).map(|n| event(n, n, 1)));
        }
        None
    });
    rabbitmq.ctl(&["set_vm_memory_high_watermark", "absolute", "4GB"]);
    daemon.wait_delivered(published);
    daemon.assert_nothing_blamed();
}

#[test]
fn a_queue_that_refuses_more_is_waited_for() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare_exchange();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(2));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    rabbitmq.bind_queue(arguments, "orders.#");
    let _connector = rabbitmq.connector(&daemon, "");
    daemon.publish((1..=4).map(|n| event(n, n, 1)));
    let reason = daemon.wait_unavailable();
    assert!(reason.contains("nack"), "{reason}");
    let first = rabbitmq.stored();
    daemon.wait_delivered(4);
    let published: Vec<String> = (1..=4).map(|n| event(n, n, 1)).collect();
    let stored: Vec<_> = first.into_iter().chain(rabbitmq.stored()).collect();
    assert_eq!(check_arrivals(&published, &stored), 0);
}
