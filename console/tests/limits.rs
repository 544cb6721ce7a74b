//! Slow and silent clients, and many of them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::console::Console;
use crate::support::eventually;
use crate::support::fake_daemon::FakeDaemon;
use crate::support::world::World;

/// A thousand connections, half of which say nothing, while the others begin a request and never end it.
pub fn hold_slow_connections(console: &Console) -> Vec<TcpStream> {
    let connect = |number: u32| {
        let mut stream = TcpStream::connect(&console.address).unwrap();
        if number.is_multiple_of(2) {
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
        }
        stream
    };
    (0..1_000).map(connect).collect()
}

/// How long `/metrics` takes, nine times out of ten.
pub fn slowest_of_most(console: &Console) -> Duration {
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let begin = Instant::now();
            let reply = console.get("/metrics");
            assert_eq!(reply.code, 200);
            assert!(reply.body.contains("orderd_console_daemon_up 1"));
            begin.elapsed()
        })
        .collect();
    times.sort();
    times[90]
}

/// Each answer waits at most 80 ms for a fresh sample. Where that takes longer, it is this machine, and `alone` shows it.
pub fn bound(alone: Duration) -> Duration {
    Duration::from_millis(100).max(alone * 3)
}

#[test]
fn a_thousand_slow_connections_leave_metrics_answering() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let alone = slowest_of_most(&console);
    let slow = hold_slow_connections(&console);
    let crowded = slowest_of_most(&console);
    assert!(crowded < bound(alone), "{crowded:?} beside them, {alone:?} before");
    let open = console.get("/metrics").body;
    let open = open.lines().find_map(|line| line.strip_prefix("orderd_console_connections ")).unwrap();
    assert!(open.parse::<u32>().unwrap() <= 256, "{open} connections");
    drop(slow);
}

#[test]
fn a_client_that_reads_nothing_makes_room_for_others() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &["--connections-max", "4"]);
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(&console.address).unwrap();
        let request = format!("GET /parked HTTP/1.1\r\nHost: {}\r\n\r\n", console.address);
        // More pages than the socket's buffers hold; one that was closed already takes no more.
        stream.write_all(request.repeat(400).as_bytes()).ok();
        stuck.push(stream);
    }
    assert_eq!(console.get("/livez").code, 200);
}

#[test]
fn the_head_of_a_request_has_a_time_limit_and_a_size_limit() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &["--header-ms-max", "300"]);
    for beginning in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = TcpStream::connect(&console.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(beginning).unwrap();
        let begin = Instant::now();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    }
    let long = "x".repeat(100_000);
    let mut stream = TcpStream::connect(&console.address).unwrap();
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {long}\r\n\r\n", console.address).as_bytes()).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "a head of 100 kB was taken");
}

#[test]
fn a_body_that_never_comes_ends_with_the_requests_time() {
    let daemon = FakeDaemon::start(World::busy());
    let file = daemon.socket().with_file_name("token");
    std::fs::write(&file, "t").unwrap();
    let flags = ["--actions", "--token-file", file.to_str().unwrap(), "--request-ms-max", "300"];
    let console = Console::start(&daemon.socket(), &flags);
    let headers = [("Authorization", "Bearer t"), ("Content-Type", "application/json"), ("Content-Length", "50")];
    let begin = Instant::now();
    let reply = console.request("POST", "/api/v1/lanes/requeue", &headers, "");
    assert_eq!(reply.code, 504);
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn memory_stays_bounded_under_many_requests() {
    let daemon = FakeDaemon::start(World::busy());
    let console = Console::start(&daemon.socket(), &[]);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", console.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    for number in 0..200 {
        console.get("/parked");
        console.get(&format!("/unknown/{number}"));
    }
    let before = resident();
    for number in 0..1_000 {
        console.get("/parked");
        console.get(&format!("/unknown/{number}/{number}"));
    }
    let after = eventually("memory", || Some(resident()));
    assert!(after < before + 8_192, "{before} kB before, {after} kB after");
}
