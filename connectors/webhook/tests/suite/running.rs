//! Starting, stopping, and whoever is away.

use std::time::{Duration, Instant};

use orderd_sink_testing::{FakeDaemon, Program, Told, event, eventually, orders};
use rustix::process::Signal;

use crate::support::{BINARY, Endpoint, NEW_SECRET, Reply, SECRET, config, start};

#[test]
fn it_waits_for_a_daemon_that_comes_later() {
    let mut daemon = FakeDaemon::away();
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    let program = Program::start(BINARY, &daemon, &config(&daemon, &endpoint.url(), ""));
    eventually("an attempt to attach", || program.log().contains("no daemon answers").then_some(()));
    daemon.come_back();
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
}

#[test]
fn it_attaches_again_after_the_daemon_was_away() {
    let (mut daemon, _endpoint, _program) = start(|_| Reply::Status(200), "");
    daemon.publish(orders(10));
    daemon.wait_delivered(30);
    for round in 1..=3 {
        daemon.go_away();
        daemon.publish((0..5).map(|order| event(100 * round + order, 100 * round + order, 1)));
        daemon.come_back();
        daemon.wait_delivered(30 + usize::try_from(5 * round).unwrap());
    }
    assert_eq!(daemon.attach_count(), 4);
}

#[test]
fn a_target_that_is_away_at_the_start_costs_nothing_but_time() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = FakeDaemon::start();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &format!("http://{address}/"), ""));
    daemon.publish(orders(5));
    daemon.wait_unavailable();
    let _endpoint = Endpoint::start_at(address, |_| Reply::Status(200));
    daemon.wait_delivered(15);
    daemon.assert_nothing_blamed();
}

#[test]
fn sigterm_answers_what_is_in_flight_and_ends_with_0() {
    // Slow enough that something is in flight when the signal comes.
    let slow = |_: &crate::support::Request| {
        std::thread::park_timeout(Duration::from_millis(300));
        Reply::Status(200)
    };
    let (daemon, endpoint, mut program) = start(slow, "in_flight_max = 4");
    daemon.publish(orders(20));
    endpoint.wait_requests(6);
    let status = program.stop();
    assert_eq!(status.code(), Some(0));
    // The daemon knows about everything that the endpoint got.
    assert_eq!(daemon.delivered().len(), endpoint.requests().len());
    assert!(!daemon.is_attached());
    assert!(daemon.told().iter().all(|told| matches!(told, Told::Delivered(_))));
}

#[test]
fn sigterm_ends_it_soon_when_nobody_is_there() {
    let daemon = FakeDaemon::away();
    let mut program = Program::start(BINARY, &daemon, &config(&daemon, "http://127.0.0.1:1/", ""));
    eventually("an attempt to attach", || program.log().contains("no daemon answers").then_some(()));
    let began = Instant::now();
    assert_eq!(program.stop().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn sigterm_does_not_wait_longer_than_it_may() {
    let (daemon, endpoint, mut program) = start(|_| Reply::Silence(Duration::from_secs(30)), "drain_ms_max = 200");
    daemon.publish([event(1, 1, 1)]);
    endpoint.wait_requests(1);
    let began = Instant::now();
    assert_eq!(program.stop().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn sighup_reads_the_secrets_again() {
    let (daemon, endpoint, program) = start(|_| Reply::Status(200), "");
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
    // A secret that cannot be used changes nothing.
    std::fs::write(daemon.dir().join("secret"), "nonsense").unwrap();
    program.signal(Signal::HUP);
    eventually("the complaint", || program.log().contains("cannot read the secrets again").then_some(()));
    daemon.publish([event(2, 2, 1)]);
    daemon.wait_delivered(2);
    std::fs::write(daemon.dir().join("secret"), NEW_SECRET).unwrap();
    program.signal(Signal::HUP);
    eventually("the new secret", || program.log().contains("read the secrets again\n").then_some(()));
    daemon.publish([event(3, 3, 1)]);
    daemon.wait_delivered(3);
    let verified = |secret: &str| crate::foreign_verifiers::verified(&endpoint.requests(), secret);
    assert_eq!((verified(SECRET), verified(NEW_SECRET)), (vec![true, true, false], vec![false, false, true]));
    for secret in [SECRET, NEW_SECRET, "nonsense"] {
        assert!(!program.log().contains(secret));
    }
}

#[test]
fn a_refusal_that_will_not_change_ends_it_with_a_code() {
    for (code, kind, exit) in [
        (1201, "sink_not_found", 1),
        (1203, "sink_not_attachable", 1),
        (1204, "protocol_not_supported", 1),
        (1104, "permission_denied", 77),
    ] {
        let daemon = FakeDaemon::start();
        daemon.refuse(Some((code, kind, false)));
        let mut program = Program::start(BINARY, &daemon, &config(&daemon, "http://127.0.0.1:1/", ""));
        assert_eq!(program.wait().code(), Some(exit), "{kind}");
        assert!(program.log().contains(kind), "{}", program.log());
    }
}

#[test]
fn a_refusal_that_may_change_is_waited_out() {
    let daemon = FakeDaemon::start();
    daemon.refuse(Some((1202, "sink_attached", true)));
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    let program = Program::start(BINARY, &daemon, &config(&daemon, &endpoint.url(), "reattach_ms_max = 200"));
    eventually("a refusal", || program.log().contains("sink_attached").then_some(()));
    daemon.refuse(None);
    daemon.publish([event(1, 1, 1)]);
    daemon.wait_delivered(1);
}

#[test]
fn whatever_the_daemon_closes_for_it_comes_again() {
    let (daemon, _endpoint, program) = start(|_| Reply::Status(200), "reattach_ms_max = 100");
    for (round, kind) in ["shutting_down", "taken_over", "protocol_error", "answer_timeout"].into_iter().enumerate() {
        let sequence = u64::try_from(round).unwrap() + 1;
        daemon.publish([event(sequence, sequence, 1)]);
        daemon.wait_delivered(round + 1);
        daemon.close(kind, "for a test");
        eventually("the next attachment", || (daemon.attach_count() == sequence + 1).then_some(()));
        assert!(program.log().contains(kind), "{}", program.log());
    }
}

#[test]
fn the_service_manager_is_told_and_the_watchdog_fed() {
    let daemon = FakeDaemon::start();
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    let path = daemon.dir().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut said = String::new();
    let mut until = |what: &str| {
        while !said.contains(what) {
            let mut message = [0; 4096];
            let bytes = socket.recv(&mut message).unwrap_or_else(|_| panic!("no {what} in {said}"));
            said.push_str(std::str::from_utf8(&message[..bytes]).unwrap());
            said.push('\n');
        }
        std::mem::take(&mut said)
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "400000")];
    let config = config(&daemon, &endpoint.url(), "");
    let mut program = Program::start_with(BINARY, &daemon, &config, &variables);
    assert!(until("READY=1").starts_with("READY=1"));
    until("STATUS=attached to sink sink");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    program.signal(Signal::HUP);
    until("RELOADING=1");
    until("READY=1");
    assert_eq!(program.stop().code(), Some(0));
    until("STOPPING=1");
}
