//! How fast it is beside a program that does nothing but post.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use orderd_sink_testing::throughput;

use crate::support::Receiver;

const WORKERS: usize = 8;

/// The same requests without signatures.
fn post(url: &str, lines: &[String]) -> Duration {
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
    let receiver = Receiver::start();
    throughput::compare(&receiver, &format!("in_flight_max = {WORKERS}\n"), |lines| post(&receiver.url(), lines));
}
