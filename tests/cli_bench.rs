//! `orderd bench`: a load whose count can be believed.

use serde_json::Value;

use crate::support::{Client, Daemon, Store, orderd};

#[test]
fn every_command_that_bench_counts_is_in_the_store_and_no_other() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    for (connections, in_flight, more) in [("1", "1", None), ("8", "64", None), ("4", "8", Some("--command-ids"))] {
        let before = changes(&store);
        let mut args = vec!["bench", "--json", "--commands", "3000"];
        args.extend(["--connections", connections, "--in-flight", in_flight]);
        args.extend(more);
        let run = orderd(&store, &args).expect(0);
        let report = run.json();
        assert_eq!(report["commands"], 3000);
        assert_eq!(report["refused"].as_object().unwrap().len(), 0);
        assert_eq!(changes(&store) - before, 3000, "each command raises one event");
        let latency = |name: &str| report["latency_us"][name].as_f64().unwrap();
        assert!(0.0 < latency("min") && latency("p50") <= latency("p99") && latency("p99") <= latency("max"));
        assert_eq!(run.stderr, "", "no progress bar without a terminal");
    }
}

#[test]
fn bench_says_what_it_found_in_words_too() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let run = orderd(&store, &["bench", "--seconds", "0.2", "--warmup-seconds", "0", "--rate", "1000"]).expect(0);
    for word in ["commands", "/s", "p50", "p99.9"] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
}

#[test]
fn bench_without_a_daemon_exits_69() {
    let run = orderd(&Store::new(), &["bench", "--commands", "1"]).expect(69);
    assert!(run.stderr.contains("cannot connect"), "{}", run.stderr);
}

fn changes(store: &Store) -> u64 {
    let status: Value = Client::connect(store).status();
    status["outbox"]["last_sequence"].as_u64().unwrap()
}
