//! A server that is away, silent, full, or elsewhere.

use orderd_sink_testing::scenarios::a_silent_server_is_waited_for;
use orderd_sink_testing::{FakeDaemon, Program, Target as _, Told, event, eventually, free_port};

use crate::setup::Redis;

#[test]
fn a_server_that_is_away_at_the_start_is_unavailable_and_events_arrive_when_it_comes() {
    let daemon = FakeDaemon::start();
    let port = free_port();
    let keys = format!("url = \"redis://127.0.0.1:{port}\"\nstream = \"orders\"\n");
    let _connector = Program::start(Redis::BINARY, &daemon, &keys);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_unavailable();
    let redis = Redis::on(daemon.dir(), port, &[]);
    daemon.wait_delivered(1);
    assert_eq!(redis.stored().len(), 1);
}

#[test]
fn a_server_that_does_not_answer_in_time_is_unavailable_and_nothing_is_added_twice() {
    let dir = tempfile::tempdir().unwrap();
    let redis = Redis::start(dir.path());
    assert_eq!(a_silent_server_is_waited_for(&redis, &redis.server).len(), 3);
}

#[test]
fn a_server_whose_memory_is_full_is_waited_for() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let _connector = redis.connector(&daemon, "");
    daemon.publish([event(1, 1, 1), event(2, 2, 1)]);
    let reason = daemon.wait_unavailable();
    assert!(reason.contains("OOM"), "{reason}");
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    daemon.wait_delivered(2);
    assert!(daemon.told().iter().all(|told| matches!(told, Told::Delivered(_)) || told.is_passing()));
}

#[test]
fn a_replica_and_a_master_without_its_replicas_are_waited_for() {
    let daemon = FakeDaemon::start();
    let redis = Redis::start(daemon.dir());
    let _connector = redis.connector(&daemon, "");
    redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_told("a replica", |told| told.is_passing() && told.reason().to_lowercase().contains("read only"));
    redis.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    redis.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    daemon.wait_told("too few replicas", |told| told.is_passing() && told.reason().contains("NOREPLICAS"));
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
