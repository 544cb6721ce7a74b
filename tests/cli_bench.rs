//! `orderd bench`: a load whose count can be believed.

use serde_json::Value;

use crate::support::{Client, Daemon, FakeDaemon, Store, orderd, refusal};

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
fn bench_leaves_a_store_alone_that_holds_orders_of_others() {
    let store = Store::new();
    let _daemon = Daemon::start(&store);
    let bench = |more: &[&str]| orderd(&store, &[&["bench", "--json", "--commands", "100"], more].concat());
    for connections in ["1", "3"] {
        bench(&["--connections", connections]).expect(0);
    }
    let before = changes(&store);
    Client::connect(&store).place(7);
    let run = bench(&[]).expect(1);
    assert!(run.stderr.contains("--into-existing-orders") && run.stderr.contains("1 order "), "{}", run.stderr);
    assert_eq!(changes(&store), before + 1, "nothing was made");
    bench(&["--into-existing-orders"]).expect(0);
    assert_eq!(changes(&store), before + 101);
}

#[test]
fn bench_tells_refusals_from_a_daemon_that_is_gone() {
    let nothing_yet = |method: &str| method == "daemon.status";
    let status = serde_json::json!({"orders": {"count": 0}, "sinks": []});
    let unknown = refusal(1001, "order_not_found", false, "none");
    for (kind, exit) in [("overloaded", 1), ("permission_denied", 77)] {
        let (status, unknown) = (status.clone(), unknown.clone());
        let daemon = FakeDaemon::start(move |method, _| match method {
            method if nothing_yet(method) => Ok(status.clone()),
            "order.get" => Err(unknown.clone()),
            _ => Err(refusal(1101, kind, true, "no")),
        });
        let run = daemon.orderd(&["bench", "--json", "--commands", "10"]).expect(exit);
        assert_eq!(run.json()["refused"][kind], 10, "the figures are printed all the same");
    }
    // More connections than the daemon takes: it answers those that are too many with an error and closes them.
    let store = Store::with("", "[server]\nconnections_max = 16\n");
    let _daemon = Daemon::start(&store);
    let run = orderd(&store, &["bench", "--commands", "1000", "--connections", "64"]).expect(69);
    assert!(!run.stderr.contains("wrong answer"), "{}", run.stderr);
}

#[test]
fn bench_without_a_daemon_exits_69() {
    let run = orderd(&Store::new(), &["bench", "--commands", "1"]).expect(69);
    assert!(run.stderr.contains("no daemon answers"), "{}", run.stderr);
}

fn changes(store: &Store) -> u64 {
    let status: Value = Client::connect(store).status();
    status["outbox"]["last_sequence"].as_u64().unwrap()
}
