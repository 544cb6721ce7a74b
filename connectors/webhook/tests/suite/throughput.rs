//! How fast it is beside a program that does nothing but post.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orderd_sink_testing::{Program, RealDaemon};

use crate::support::{BINARY, Endpoint, Reply, SECRET};

const ORDERS: u64 = 7_000;
const WORKERS: usize = 8;

/// The same requests without signature, daemon and outcomes.
fn post_plainly(url: &str, lines: &[String]) -> Duration {
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let agent: ureq::Agent =
        ureq::Agent::config_builder().proxy(None).max_idle_connections_per_host(WORKERS).build().into();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(line) = lines.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answer = agent.post(url).header("content-type", "application/json").send(line.as_str());
                    answer.unwrap().body_mut().read_to_string().unwrap();
                }
            });
        }
    });
    began.elapsed()
}

#[test]
#[ignore = "wants a quiet machine and --release"]
fn at_least_half_of_what_a_plain_client_posts() {
    let daemon = RealDaemon::start("");
    daemon.work(ORDERS);
    let endpoint = Endpoint::start(|_| Reply::Status(200));
    std::fs::write(daemon.dir().join("secret"), SECRET).unwrap();
    let config = format!("url = \"{}\"\nsecret_files = [\"secret\"]\nin_flight_max = {WORKERS}\n", endpoint.url());
    let began = Instant::now();
    let program = Program::start_on(BINARY, daemon.dir(), &daemon.socket(), RealDaemon::SINK, &config, &[]);
    let lines = daemon.wait_settled();
    let ours = began.elapsed();
    let plain = post_plainly(&endpoint.url(), &lines);
    let ratio = plain.as_secs_f64() / ours.as_secs_f64();
    let rate = |time: Duration| lines.len() as f64 / time.as_secs_f64();
    println!(
        "connector {:.0}/s, plain client {:.0}/s: {ratio:.2}; {} KiB",
        rate(ours),
        rate(plain),
        program.resident_kib_max()
    );
    assert!(ratio >= 0.5, "{ratio}");
}
