//! A server that is away, silent, full, or elsewhere.

use orderd_sink_testing::{FakeDaemon, Program, Signal, Told, event, eventually, free_port};

use crate::setup::{BINARY, Redis};

fn is_passing(told: &Told) -> bool {
    matches!(told, Told::Unavailable { blocked: false, .. })
}

#[test]
fn a_server_that_is_away_at_the_start_is_unavailable_and_events_arrive_when_it_comes() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let keys = format!("url = \"redis://127.0.0.1:{port}\"\nstream = \"orders\"\n");
    let _connector = Program::start(BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("unavailable", is_passing);
    let redis = Redis::on(daemon.dir(), port, &[]);
    daemon.wait_delivered(1);
    assert_eq!(redis.stored().len(), 1);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_unavailable_and_nothing_is_added_twice() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "timeout_ms = 500\n");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    redis.server.signal(Signal::STOP);
    daemon.publish([event(2, 1, 2), event(3, 2, 1)]);
    daemon.wait_told("unavailable", is_passing);
    redis.server.signal(Signal::CONT);
    daemon.wait_delivered(3);
    assert_eq!(redis.stored().len(), 3);
}

#[test]
fn a_server_whose_memory_is_full_is_waited_for() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let _connector = redis.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let Told::Unavailable { reason, .. } = daemon.wait_told("unavailable", is_passing) else { unreachable!() };
    assert!(reason.contains("OOM"), "{reason}");
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    daemon.wait_delivered(2);
    assert!(daemon.told().iter().all(|told| matches!(told, Told::Delivered(_)) || is_passing(told)));
}

#[test]
fn a_replica_and_a_master_without_its_replicas_are_waited_for() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "");
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("a replica", |told| {
        matches!(told, Told::Unavailable { blocked: false, reason, .. } if reason.to_lowercase().contains("read only"))
    });
    redis.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    redis.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    daemon.wait_told(
        "too few replicas",
        |told| matches!(told, Told::Unavailable { blocked: false, reason, .. } if reason.contains("NOREPLICAS")),
    );
    redis.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    daemon.wait_delivered(1);
}

#[test]
fn a_node_of_a_cluster_that_does_not_have_the_slot_leads_to_the_one_that_has() {
    let daemon = FakeDaemon::start();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = |dir: &std::path::Path, bus: u16| {
        let bus = bus.to_string();
        let cluster = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port", &bus];
        Redis::with(dir, &cluster)
    };
    let bus = free_port();
    let (first, second) = (node(one.path(), free_port()), node(two.path(), bus));
    let slot: u64 = first.command(&["CLUSTER", "KEYSLOT", "orders"]);
    second.command::<()>(&["CLUSTER", "ADDSLOTS", &slot.to_string()]);
    first.command::<()>(&["CLUSTER", "MEET", "127.0.0.1", &second.port.to_string(), &bus.to_string()]);
    eventually("the nodes to know each other", || {
        let slots: String = first.command(&["CLUSTER", "NODES"]);
        slots.contains(&format!(" {slot}")).then_some(())
    });
    let _connector = first.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    daemon.wait_delivered(2);
    assert_eq!(second.stored().len(), 2);
}
