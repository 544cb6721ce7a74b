//! The example works.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use orderd_sink_testing::{FakeDaemon, Program, Told, orders};

#[test]
fn events_arrive_and_each_answer_has_its_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = format!("address = \"{}\"\n", listener.local_addr().unwrap());
    let daemon = FakeDaemon::start();
    let mut program = Program::start(env!("CARGO_BIN_EXE_orderd-sink-lines"), &daemon, &config);
    daemon.publish(orders(5));
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(&stream).lines();
    let mut received = Vec::new();
    // Order 1 fails once and is rejected then; its two later events stay behind it.
    while received.len() < 14 {
        received.push(lines.next().unwrap().unwrap());
        let is_first_order = received.last().unwrap().contains(&orderd_sink_testing::order_id(1));
        let answer = match received.iter().filter(|line| line.contains(&orderd_sink_testing::order_id(1))).count() {
            1 if is_first_order => "later\n",
            2 if is_first_order => "no such thing\n",
            _ => "ok\n",
        };
        (&stream).write_all(answer.as_bytes()).unwrap();
    }
    daemon.wait_delivered(12);
    daemon.wait_told("failed", |told| matches!(told, Told::Failed { reason, .. } if reason == "later"));
    daemon.wait_told("rejected", |told| matches!(told, Told::Rejected { reason, .. } if reason == "such thing"));
    assert_eq!(program.stop().code(), Some(0));
}
