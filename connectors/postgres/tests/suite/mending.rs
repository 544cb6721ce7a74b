//! What needs an operator parks nothing, and goes on by itself when it is mended.

use orderd_sink_testing::{FakeDaemon, Program, event, orders};
use rustix::process::Signal;

use crate::support::{BINARY, Server, config, schema, start};

#[test]
fn a_wrong_password_blocks_until_sighup_brings_the_right_one() {
    let server = Server::start(&[]);
    server.sql(&schema());
    let daemon = FakeDaemon::start();
    let config = config(&daemon, &server, "");
    std::fs::write(daemon.dir().join("password"), "wrong-w0rd").unwrap();
    let program = Program::start(BINARY, &daemon, &config);
    daemon.publish(orders(10));
    assert!(daemon.wait_blocked().contains("28P01"));
    std::fs::write(daemon.dir().join("password"), Server::PASSWORD).unwrap();
    program.signal(Signal::HUP);
    daemon.wait_delivered(30);
    daemon.assert_nothing_blamed();
    assert!(!program.log().contains("wrong-w0rd") && !program.log().contains(Server::PASSWORD));
    // A rotation while everything works: the server has a new password, then we have.
    server.sql("ALTER ROLE orderd PASSWORD 'another'");
    std::fs::write(daemon.dir().join("password"), "another").unwrap();
    program.signal(Signal::HUP);
    daemon.publish([event(100, 100, 1)]);
    daemon.wait_delivered(31);
}

#[test]
fn a_missing_table_blocks_until_it_is_there() {
    let server = Server::start(&[]);
    let daemon = FakeDaemon::start();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &server, ""));
    daemon.publish(orders(10));
    assert!(daemon.wait_blocked().contains("orderd_inbox"));
    server.sql(&schema());
    daemon.wait_delivered(30);
    daemon.assert_nothing_blamed();
    assert_eq!(server.count(), 30);
}

#[test]
fn a_missing_privilege_blocks_until_it_is_given() {
    let (daemon, server, _program) = start("");
    server.sql("ALTER ROLE orderd NOSUPERUSER");
    daemon.publish(orders(10));
    assert!(daemon.wait_blocked().contains("42501"));
    server.sql("GRANT SELECT, INSERT, UPDATE ON orderd_inbox, orderd_inbox_progress TO orderd");
    daemon.wait_delivered(30);
    daemon.assert_nothing_blamed();
}

#[test]
fn a_server_that_is_away_is_waited_for_at_the_start_and_later() {
    let server = Server::start(&[]);
    server.sql(&schema());
    server.go_away("fast");
    let daemon = FakeDaemon::start();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &server, ""));
    daemon.publish(orders(10));
    daemon.wait_unavailable();
    server.come_back();
    daemon.wait_delivered(30);
    // An idle connection that the server has closed meanwhile costs no attempt.
    let before = daemon.told().len();
    server.go_away("fast");
    server.come_back();
    daemon.publish([event(100, 100, 1)]);
    daemon.wait_delivered(31);
    assert_eq!(daemon.told().len(), before + 1);
    daemon.assert_nothing_blamed();
}
