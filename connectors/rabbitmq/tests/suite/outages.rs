//! A server that is away, silent, or short of something.

use lapin::types::{AMQPValue, FieldTable};
use orderd_sink_testing::{FakeDaemon, Program, Signal, Told, check_arrivals, event, eventually, free_port};

use crate::setup::{BINARY, RabbitMq};

fn is_passing(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: false, .. })
}

#[test]
fn a_server_that_is_away_at_the_start_or_silent_is_unavailable_and_events_arrive_when_it_is_back() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let keys = format!(
        "url = \"amqp://127.0.0.1:{port}\"\nexchange = \"orders\"\nrouting_key = \"orders.x\"\ntimeout_ms = 1000\n"
    );
    let _connector = Program::start(BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("unavailable", is_passing);
    let rabbitmq = RabbitMq::on(daemon.dir(), port, "");
    rabbitmq.declare();
    daemon.wait_delivered(1);
    let before = daemon.told().len();
    rabbitmq.server.signal(Signal::STOP);
    daemon.publish([event(2, 1, 2), event(3, 2, 1)]);
    eventually("unavailable", || daemon.told()[before..].iter().any(is_passing).then_some(()));
    rabbitmq.server.signal(Signal::CONT);
    daemon.wait_delivered(3);
    let stored = rabbitmq.stored();
    let published = [event(1, 1, 1), event(2, 1, 2), event(3, 2, 1)];
    orderd_sink_testing::check_arrivals(&published, stored.iter().map(|message| message.body.as_slice()));
}

#[test]
fn a_server_that_blocks_its_publishers_gets_nothing_until_it_takes_it_again() {
    let daemon = FakeDaemon::start();
    let rabbitmq = RabbitMq::start(daemon.dir());
    rabbitmq.declare();
    let _connector = rabbitmq.connector(&daemon, "timeout_ms = 1000\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    rabbitmq.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    // The server looks at its memory every few seconds, and tells a publisher when it publishes.
    let mut published = 1;
    eventually("blocked publishers", || {
        let is_blocked = |told: &Told| matches!(told, Told::Unavailable { blocked: false, reason, .. } if reason.contains("blocks its publishers"));
        if daemon.told().iter().any(is_blocked) {
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
    assert!(!daemon.told().iter().any(|told| matches!(told, Told::Rejected { .. } | Told::Failed { .. })));
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
    let Told::Unavailable { reason, .. } = daemon.wait_told("unavailable", is_passing) else { unreachable!() };
    assert!(reason.contains("nack"), "{reason}");
    let first = rabbitmq.stored();
    daemon.wait_delivered(4);
    let published: Vec<String> = (1..=4).map(|n| event(n, n, 1)).collect();
    let stored = first.into_iter().chain(rabbitmq.stored()).map(|message| message.body).collect::<Vec<_>>();
    assert_eq!(check_arrivals(&published, stored.iter().map(Vec::as_slice)), 0);
}
