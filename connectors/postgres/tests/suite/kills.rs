//! Kills of everybody, under load: each event is stored exactly once, each order's in its order.

use orderd_sink_testing::{FakeDaemon, Program, orders};

use crate::support::{BINARY, Server, config, schema};

/// Kills of each process.
const KILLS: usize = 20;
const ORDERS: u64 = 4_000;

fn start_server() -> Server {
    let server = Server::start(&[]);
    server.sql(&schema());
    // The order of insertion; it has to follow the order of versions within an order.
    server.sql("ALTER TABLE orderd_inbox ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY");
    server
}

fn assert_exactly_once(server: &Server, events: &[String]) {
    assert_eq!(server.count(), events.len());
    let stored = server.sql("SELECT event FROM orderd_inbox ORDER BY sequence");
    assert!(stored.lines().eq(events.iter().map(String::as_str)), "what is stored is not what was published");
    let wrong = "SELECT count(*) FROM orderd_inbox a JOIN orderd_inbox b USING (order_id) \
                 WHERE a.order_version < b.order_version AND a.position > b.position";
    assert_eq!(server.sql(wrong), "0", "an order's events were stored in a wrong order");
}

#[test]
fn kills_of_the_connector_and_of_the_daemon() {
    let server = start_server();
    let mut daemon = FakeDaemon::start();
    let config = config(&daemon, &server, "in_flight_max = 256\nreattach_ms_max = 100");
    let events = orders(ORDERS);
    daemon.publish(events.clone());
    let mut program = Program::start(BINARY, &daemon, &config);
    for kill in 1..=2 * KILLS {
        daemon.wait_delivered(kill * events.len() / (2 * KILLS + 5));
        if kill % 2 == 0 {
            daemon.go_away();
            daemon.come_back();
        } else {
            program.kill();
            program = Program::start(BINARY, &daemon, &config);
        }
    }
    daemon.wait_delivered(events.len());
    assert_exactly_once(&server, &events);
}

#[test]
fn kills_of_the_server() {
    let server = start_server();
    let daemon = FakeDaemon::start();
    let _program = Program::start(BINARY, &daemon, &config(&daemon, &server, "in_flight_max = 256"));
    let events = orders(ORDERS);
    daemon.publish(events.clone());
    for kill in 1..=KILLS {
        daemon.wait_delivered(kill * events.len() / (KILLS + 5));
        server.kill();
        server.come_back();
    }
    daemon.wait_delivered(events.len());
    assert_exactly_once(&server, &events);
}
