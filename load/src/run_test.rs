use super::*;
use crate::{JsonRpc, Mix, OrderNames};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;

/// How the stand-in for a daemon behaves.
#[derive(Clone, Copy)]
enum Manner {
    Keeps,
    RefusesEvery(u64),
    HangsUpAfter(u64),
    SwapsIds,
}

struct StandIn {
    _folder: tempfile::TempDir,
    socket: PathBuf,
    sessions: Option<JoinHandle<Vec<Orders>>>,
}

type Orders = HashMap<String, &'static str>;

impl StandIn {
    fn start(connections: usize, manner: Manner) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let accept = move || {
            let sessions: Vec<_> = (0..connections)
                .map(|_| {
                    let (stream, _) = listener.accept().unwrap();
                    std::thread::Builder::new().spawn(move || answer(&stream, manner)).unwrap()
                })
                .collect();
            sessions.into_iter().map(|session| session.join().unwrap()).collect()
        };
        let sessions = std::thread::Builder::new().spawn(accept).unwrap();
        Self { _folder: folder, socket, sessions: Some(sessions) }
    }

    /// The orders of each connection, once all have closed.
    fn orders(mut self) -> Vec<Orders> {
        self.sessions.take().unwrap().join().unwrap()
    }
}

/// Answers until the end of the stream. A completion of an order that was not placed ends the test.
fn answer(stream: &UnixStream, manner: Manner) -> Orders {
    let mut orders = Orders::new();
    let mut out = stream;
    for (count, line) in (1..).zip(BufReader::new(stream).lines()) {
        let Ok(line) = line else { break };
        let request: Value = serde_json::from_str(&line).unwrap();
        let order = request["params"]["order_id"].as_str().unwrap().to_owned();
        let mut id = request["id"].clone();
        match manner {
            Manner::HangsUpAfter(last) if count > last => break,
            Manner::SwapsIds => id = json!(id.as_u64().unwrap() ^ 1),
            Manner::RefusesEvery(nth) if count % nth == 0 => {
                let error = json!({"code": 1101, "message": "full", "data": {"kind": "overloaded", "retryable": true}});
                writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": id, "error": error})).unwrap();
                continue;
            }
            Manner::HangsUpAfter(_) | Manner::Keeps | Manner::RefusesEvery(_) => {}
        }
        match request["method"].as_str().unwrap() {
            "order.place" => assert!(orders.insert(order, "placed").is_none(), "an order was placed twice"),
            "order.complete" => assert_eq!(orders.insert(order, "completed"), Some("placed")),
            "order.get" => assert!(orders.contains_key(&order)),
            other => panic!("nobody asked for {other}"),
        }
        if writeln!(out, "{}", json!({"jsonrpc": "2.0", "id": id, "result": {"lsn": count}})).is_err() {
            break;
        }
    }
    orders
}

fn load(connections: usize, in_flight: usize, end: End) -> Load {
    Load {
        connections,
        in_flight,
        mix: Mix::PlaceComplete,
        rate: None,
        warmup: Duration::ZERO,
        end,
        names: OrderNames::from_seed(1),
    }
}

fn run(load: &Load, stand_in: &StandIn) -> Result<Report, LoadError> {
    drive(load, &stand_in.socket, &mut JsonRpc::default(), &mut |_| {})
}

#[test]
fn every_command_is_counted_and_only_known_orders_are_completed() {
    for in_flight in [1, 7, 64] {
        let stand_in = StandIn::start(4, Manner::Keeps);
        let report = run(&load(4, in_flight, End::Commands(2_000)), &stand_in).unwrap();
        assert_eq!(report.commands, 2_000);
        assert!(report.refused.is_empty());
        assert!(report.commands_per_second > 0.0 && report.latency_us.p50 > 0.0);
        assert!(report.latency_us.p50 <= report.latency_us.p99 && report.latency_us.p99 <= report.latency_us.max);
        let orders = stand_in.orders();
        let placed: usize = orders.iter().map(HashMap::len).sum();
        let completed = orders.iter().flat_map(HashMap::values).filter(|status| **status == "completed").count();
        assert_eq!(placed + completed, 2_000);
        // All but what was in flight before the first answers.
        assert!(completed + 4 * 2 * in_flight >= placed, "{in_flight}: {completed} of {placed} completed");
    }
}

#[test]
fn refusals_are_counted_apart_and_their_orders_left_alone() {
    let stand_in = StandIn::start(2, Manner::RefusesEvery(5));
    let report = run(&load(2, 8, End::Commands(1_000)), &stand_in).unwrap();
    let refused = report.refused.get("overloaded").copied().unwrap_or_default();
    assert!((198..=200).contains(&refused), "{refused} refused");
    assert_eq!(report.commands + refused, 1_000);
}

#[test]
fn reads_repeat_an_order_that_is_there() {
    let stand_in = StandIn::start(2, Manner::Keeps);
    let reads = Load { mix: Mix::Get, ..load(2, 4, End::Commands(500)) };
    assert_eq!(run(&reads, &stand_in).unwrap().commands, 500);
}

#[test]
fn a_run_with_a_rate_keeps_it() {
    let stand_in = StandIn::start(3, Manner::Keeps);
    let paced = Load { rate: Some(2_000.0), ..load(3, 16, End::Commands(1_000)) };
    let report = run(&paced, &stand_in).unwrap();
    assert!(report.seconds > 0.45, "{} s for 1000 commands at 2000/s", report.seconds);
}

#[test]
fn a_run_ends_in_time_and_leaves_no_command_unanswered() {
    let stand_in = StandIn::start(2, Manner::Keeps);
    let short = Load { warmup: Duration::from_millis(50), ..load(2, 16, End::After(Duration::from_millis(200))) };
    let report = run(&short, &stand_in).unwrap();
    assert!((report.seconds - 0.2).abs() < 1e-9);
    let answered: usize = stand_in.orders().iter().map(HashMap::len).sum();
    assert!(answered > 0 && report.commands > 0);
}

#[test]
fn a_server_that_hangs_up_or_answers_wrongly_ends_the_run() {
    let stand_in = StandIn::start(1, Manner::HangsUpAfter(10));
    let hung_up = run(&load(1, 4, End::Commands(100)), &stand_in);
    assert!(matches!(hung_up, Err(LoadError::Closed | LoadError::Socket { .. })), "{hung_up:?}");
    let stand_in = StandIn::start(1, Manner::SwapsIds);
    let swapped = run(&load(1, 1, End::Commands(100)), &stand_in);
    assert!(matches!(swapped, Err(LoadError::Wrong(_))), "{swapped:?}");
    let nobody =
        drive(&load(1, 1, End::Commands(1)), Path::new("/nonexistent/socket"), &mut JsonRpc::default(), &mut |_| {});
    assert!(matches!(nobody, Err(LoadError::Connect { .. })), "{nobody:?}");
}
