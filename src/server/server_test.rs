//! The whole server over real sockets, with the test in the executor's place.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::contracts::{Command, JournalStatus, Lsn, Outcome, Refusal, Request, Sequence, StoreStatus};
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// Nothing here takes long; what takes longer is not going to happen.
const DEADLINE: Duration = Duration::from_secs(20);
const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Sinks have no age here.
struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

struct Served {
    dir: TempDir,
    handle: ServerHandle,
    submissions: Receiver<Submission>,
    answers: Option<Sender<Vec<Answer>>>,
    thread: JoinHandle<io::Result<()>>,
}

fn options(dir: &TempDir) -> ServerOptions {
    ServerOptions {
        socket: dir.path().join("s"),
        socket_mode: 0o600,
        socket_group: None,
        allowed_uids: Vec::new(),
        connections_max: 16,
        line_bytes_max: 4096,
        in_flight_max: 8,
        answer_bytes_max: 1 << 20,
        answers_bytes_max: 1 << 24,
        line_ms_max: Duration::from_secs(60),
        idle_ms_max: Duration::from_secs(60),
        write_ms_max: Duration::from_secs(60),
        shutdown_ms_max: Duration::from_secs(60),
    }
}

impl Served {
    fn start(queue: usize, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut options = options(&dir);
        change(&mut options);
        let (submit, submissions) = bounded(queue);
        let (answers, receiver) = unbounded();
        let (server, handle) = Server::bind(options, submit, receiver, Arc::new(StillClock), Vec::new()).unwrap();
        let thread = std::thread::Builder::new().name("server".into()).spawn(move || server.run()).unwrap();
        Self { dir, handle, submissions, answers: Some(answers), thread }
    }

    fn client(&self) -> Client {
        Client::connect(&self.dir)
    }

    fn next(&self) -> Submission {
        self.submissions.recv_timeout(DEADLINE).expect("a submission in time")
    }

    fn answer(&self, submissions: &[Submission]) {
        let batch =
            submissions.iter().map(|s| Answer { connection: s.connection, outcome: outcome(&s.command) }).collect();
        self.answers.as_ref().unwrap().send(batch).unwrap();
        self.handle.answers_ready();
    }

    /// Answers `count` submissions, each as soon as it is there.
    fn answer_next(&self, count: usize) {
        for _ in 0..count {
            self.answer(&[self.next()]);
        }
    }

    fn nothing_is_submitted(&self) {
        assert_eq!(self.submissions.try_recv().ok(), None);
    }

    fn join(self) -> TempDir {
        self.thread.join().unwrap().unwrap();
        self.dir
    }

    fn drain(self) -> TempDir {
        self.handle.drain();
        self.join()
    }
}

fn outcome(command: &Command) -> Outcome {
    match &command.request {
        Request::Place { order_id, customer_id, total_amount } => Outcome::Changed {
            order: order(order_id.unwrap_or(OrderId::parse(UUID).unwrap()), *customer_id, *total_amount),
            lsn: Lsn(total_amount.get() + 1),
            duplicate: false,
        },
        Request::Get { order_id } => {
            Outcome::Found(order(*order_id, CustomerId::parse(UUID).unwrap(), Cents::new(5).unwrap()))
        }
        Request::Complete { .. } | Request::Cancel { .. } => Outcome::Refused(Refusal::StorageFull),
        Request::Status => Outcome::Status(StoreStatus {
            full: false,
            journal: JournalStatus { durable_lsn: Lsn(3), checkpoint_lsn: Lsn(2), bytes: 1, segments: 1 },
            orders_count: 4,
            last_sequence: Sequence(5),
        }),
    }
}

fn order(order_id: OrderId, customer_id: CustomerId, total_amount: Cents) -> OrderState {
    OrderState {
        order_id,
        customer_id,
        total_amount,
        status: OrderStatus::Placed,
        version: 1,
        placed_at: Timestamp::from_micros(1_795_000_000_000_001).unwrap(),
        completed_at: None,
        cancelled_at: None,
    }
}

struct Client {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Client {
    fn connect(dir: &TempDir) -> Self {
        let writer = UnixStream::connect(dir.path().join("s")).unwrap();
        writer.set_read_timeout(Some(DEADLINE)).unwrap();
        writer.set_write_timeout(Some(DEADLINE)).unwrap();
        let reader = BufReader::new(writer.try_clone().unwrap());
        Self { writer, reader }
    }

    fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).unwrap();
    }

    fn place(&mut self, id: &str, amount: u64) {
        self.send(&place(&format!("\"id\":{id},"), amount));
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "an answer, not the end: {line:?}");
        serde_json::from_str(&line).unwrap()
    }

    fn error(&mut self) -> (i64, String) {
        let answer = self.answer();
        (answer["error"]["code"].as_i64().unwrap(), answer["error"]["message"].as_str().unwrap().to_owned())
    }

    fn finish(&mut self) {
        self.writer.shutdown(Shutdown::Write).unwrap();
    }

    fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

fn place(id: &str, amount: u64) -> String {
    let params = format!(r#"{{"customer_id":"{UUID}","total_amount":{amount}}}"#);
    format!("{{\"jsonrpc\":\"2.0\",{id}\"method\":\"order.place\",\"params\":{params}}}\n")
}

fn amount_of(submission: &Submission) -> u64 {
    match &submission.command.request {
        Request::Place { total_amount, .. } => total_amount.get(),
        Request::Complete { .. } | Request::Cancel { .. } | Request::Get { .. } | Request::Status => {
            panic!("an order was to be placed, not {submission:?}")
        }
    }
}

#[test]
fn an_order_is_answered_in_full() {
    let served = Served::start(8, |_| {});
    let mut client = served.client();
    client.place("\"a\\u0062c\"", 7);
    served.answer_next(1);
    let expected = json!({"jsonrpc": "2.0", "id": "abc", "result": {"order": {
        "order_id": UUID, "customer_id": UUID, "total_amount": 7, "status": "placed", "version": 1,
        "placed_at": "2026-11-18T11:06:40.000001Z", "completed_at": null, "cancelled_at": null},
        "lsn": 8, "duplicate": false}});
    assert_eq!(client.answer(), expected);
    served.drain();
}

#[test]
fn answers_made_here_wait_for_those_of_the_executor() {
    let served = Served::start(8, |_| {});
    let mut client = served.client();
    client.send("{}\n");
    client.place("1", 1);
    client.send("oops\n");
    client.send(&place("", 2));
    client.send("[]\n");
    client.place("3", 3);
    client.send("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"x\"}\n");
    assert_eq!(client.error().0, -32600);
    let submissions = [served.next(), served.next(), served.next()];
    served.answer(&submissions[..1]);
    assert_eq!(client.answer()["result"]["order"]["total_amount"], 1);
    assert_eq!(client.error().0, -32700);
    served.answer(&submissions[1..2]);
    assert_eq!(client.error().0, -32600);
    served.answer(&submissions[2..]);
    assert_eq!(client.answer()["id"], 3);
    assert_eq!(client.error().0, -32601);
    served.drain();
}

#[test]
fn a_client_that_only_finished_sending_gets_every_answer_and_then_the_end() {
    let served = Served::start(64, |_| {});
    let mut client = served.client();
    for n in 0..30 {
        client.place(&n.to_string(), n);
    }
    client.send("{\"half\":");
    client.finish();
    served.answer_next(30);
    for n in 0..30 {
        assert_eq!(client.answer()["id"], n);
    }
    assert!(client.is_closed());
    served.nothing_is_submitted();
    served.drain();
}

#[test]
fn what_a_client_sent_before_it_went_away_is_executed() {
    let served = Served::start(64, |_| {});
    let mut client = served.client();
    for n in 0..30 {
        client.place(&n.to_string(), n);
    }
    drop(client);
    served.answer_next(30);
    served.drain();
}

#[test]
fn a_full_queue_is_answered_with_overloaded_in_order() {
    let served = Served::start(2, |_| {});
    let (mut client, mut other) = (served.client(), served.client());
    let mut lines: String = (0..4).map(|n| place(&format!("\"id\":{n},"), n)).collect();
    lines.push_str(&place("", 4));
    lines.push_str("x\n");
    client.send(&lines);
    // Told at once, because nothing of this client is in flight; the first client's lines came before it.
    other.place("9", 9);
    assert_eq!(other.error().0, 1101);
    let submissions = [served.next(), served.next()];
    served.answer(&submissions);
    assert_eq!((client.answer()["id"].clone(), client.answer()["id"].clone()), (json!(0), json!(1)));
    for n in 2..4 {
        let answer = client.answer();
        assert_eq!(answer["error"]["data"], json!({"kind": "overloaded", "retryable": true}));
        assert_eq!(answer["id"], n);
    }
    assert_eq!(client.error().0, -32700);
    served.drain();
}

#[test]
fn no_more_is_taken_than_may_be_in_flight_and_it_goes_on_with_each_answer() {
    let served = Served::start(64, |_| {});
    let mut client = served.client();
    for n in 0..20 {
        client.place(&n.to_string(), n);
    }
    let mut taken: Vec<Submission> = (0..8).map(|_| served.next()).collect();
    // Another client's round trip: the server had every chance to take more.
    let mut other = served.client();
    other.place("1", 99);
    let others = served.next();
    assert_eq!(amount_of(&others), 99, "the first client is at its limit");
    served.answer(&[others]);
    other.answer();
    for n in 8..20 {
        served.answer(&[taken.remove(0)]);
        taken.push(served.next());
        assert_eq!(amount_of(taken.last().unwrap()), n);
    }
    served.answer(&taken);
    for n in 0..20 {
        assert_eq!(client.answer()["id"], n);
    }
    served.drain();
}

#[test]
fn a_client_that_does_not_read_is_stopped_and_costs_nobody_else_anything() {
    let served = Served::start(64, |options| {
        options.answer_bytes_max = 20_000;
        options.in_flight_max = 1000;
    });
    let (mut deaf, mut other) = (served.client(), served.client());
    let id = format!("\"{}\"", "x".repeat(3000));
    deaf.writer.set_nonblocking(true).unwrap();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"no\"}}\n");
    let (mut whole, mut deadline) = (0, Instant::now() + DEADLINE);
    // Its answers fill the socket and 20,000 bytes, then its requests fill the socket the other way.
    let mut unsent: &[u8] = &[];
    let blocked = loop {
        if unsent.is_empty() {
            unsent = line.as_bytes();
            whole += 1;
        }
        match deaf.writer.write(unsent) {
            Ok(count) => {
                unsent = &unsent[count..];
                deadline = Instant::now() + DEADLINE;
            }
            Err(_) => {
                other.place("1", 1);
                served.answer_next(1);
                other.answer();
                let mut poll = [rustix::event::PollFd::new(&deaf.writer, rustix::event::PollFlags::OUT)];
                let ready =
                    rustix::event::poll(&mut poll, Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 200_000_000 }));
                if ready == Ok(0) {
                    break whole;
                }
            }
        }
        assert!(Instant::now() < deadline);
    };
    // Now it reads, and gets one answer for each line that it sent whole.
    deaf.writer.set_nonblocking(false).unwrap();
    let mut sender = deaf.writer.try_clone().unwrap();
    let rest = unsent.to_vec();
    let sending = std::thread::Builder::new().spawn(move || sender.write_all(&rest).unwrap()).unwrap();
    for _ in 0..blocked {
        assert_eq!(deaf.error().0, -32601);
    }
    sending.join().unwrap();
    served.drain();
}

#[test]
fn a_slow_reader_is_closed_in_time() {
    let served = Served::start(64, |options| {
        options.write_ms_max = Duration::from_millis(100);
        options.answer_bytes_max = 20_000;
    });
    let mut deaf = served.client();
    let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"no\"}}\n", "x".repeat(3000));
    // Ends with an error once the server has closed it.
    while deaf.writer.write_all(line.as_bytes()).is_ok() {}
    served.drain();
}

#[test]
fn half_a_line_and_silence_are_closed_in_time() {
    let served = Served::start(64, |options| options.line_ms_max = Duration::from_millis(100));
    let mut half = served.client();
    half.place("1", 1);
    half.send("{\"jsonrpc\"");
    served.answer_next(1);
    assert_eq!(half.answer()["id"], 1);
    assert!(half.is_closed());
    served.drain();

    let served = Served::start(64, |options| options.idle_ms_max = Duration::from_millis(100));
    let mut idle = served.client();
    assert!(idle.is_closed());
    let mut waiting = served.client();
    waiting.place("1", 1);
    let submission = served.next();
    // Waiting for an answer is not idling, however long it takes: another client idles away meanwhile.
    assert!(served.client().is_closed());
    assert!(served.client().is_closed());
    served.answer(&[submission]);
    assert_eq!(waiting.answer()["id"], 1);
    served.drain();
}

#[test]
fn one_connection_too_many_is_told_so_and_closed() {
    let served = Served::start(64, |options| options.connections_max = 2);
    let (mut first, mut second, mut third) = (served.client(), served.client(), served.client());
    third.place("3", 3);
    let answer = third.answer();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(1101)));
    assert!(third.is_closed());
    for client in [&mut first, &mut second] {
        client.place("1", 1);
        served.answer_next(1);
        assert_eq!(client.answer()["id"], 1);
    }
    first.finish();
    assert!(first.is_closed());
    let mut next = served.client();
    next.place("4", 4);
    served.answer_next(1);
    assert_eq!(next.answer()["id"], 4);
    served.drain();
}

#[test]
fn a_user_who_is_not_allowed_is_told_so_for_each_request() {
    let nobody = rustix::process::getuid().as_raw().wrapping_add(1);
    let served = Served::start(64, |options| options.allowed_uids = vec![nobody]);
    let mut client = served.client();
    client.send(&place("", 5));
    client.place("7", 5);
    client.send("[]\n");
    let answer = client.answer();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(1104)));
    assert_eq!(client.error().0, 1104);
    served.nothing_is_submitted();
    served.drain();

    let myself = rustix::process::getuid().as_raw();
    let served = Served::start(64, |options| options.allowed_uids = vec![nobody, myself]);
    let mut client = served.client();
    client.place("7", 5);
    served.answer_next(1);
    assert_eq!(client.answer()["id"], 7);
    served.drain();
}

#[test]
fn a_line_too_long_is_answered_after_what_came_before_and_closes_the_connection() {
    let served = Served::start(64, |_| {});
    let mut client = served.client();
    client.place("1", 1);
    client.send(&format!("{}\n", "x".repeat(4097)));
    client.place("2", 2);
    served.answer_next(1);
    // More than any buffer on the way holds: a client that is still sending must get to see why.
    client.send(&"y".repeat(2_000_000));
    assert_eq!(client.answer()["id"], 1);
    assert_eq!(client.error().0, 1105);
    assert!(client.is_closed());
    served.nothing_is_submitted();
    served.drain();
}

#[test]
fn a_drain_answers_what_was_accepted_refuses_the_rest_and_removes_the_socket() {
    let served = Served::start(64, |_| {});
    let (mut busy, mut quiet) = (served.client(), served.client());
    for n in 0..10 {
        busy.place(&n.to_string(), n);
    }
    quiet.send("{\"half\":");
    let accepted: Vec<Submission> = (0..8).map(|_| served.next()).collect();
    served.handle.drain();
    assert!(quiet.is_closed(), "a connection that is owed nothing goes at once");
    assert!(UnixStream::connect(served.dir.path().join("s")).is_err());
    served.answer(&accepted);
    for n in 0..8 {
        assert!(busy.answer()["result"].is_object(), "{n}");
    }
    for n in 8..10 {
        let answer = busy.answer();
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(n), &json!(1102)));
    }
    assert!(busy.is_closed());
    served.nothing_is_submitted();
    let dir = served.join();
    assert!(!dir.path().join("s").exists());
}

#[test]
fn a_drain_ends_in_time_whoever_does_not_answer_or_read() {
    let served = Served::start(64, |options| options.shutdown_ms_max = Duration::from_millis(100));
    let mut client = served.client();
    client.place("1", 1);
    served.next();
    served.drain();
    assert!(client.is_closed());
}

#[test]
fn the_end_of_the_executor_ends_the_server() {
    let mut served = Served::start(64, |_| {});
    let mut client = served.client();
    client.place("1", 1);
    served.next();
    served.answers = None;
    served.handle.answers_ready();
    assert!(client.is_closed(), "no answer is better than a wrong one");
    served.join();
}

#[test]
fn the_loop_turns_also_when_nothing_happens() {
    let served = Served::start(1, |_| {});
    let (turns, deadline) = (served.handle.turns(), Instant::now() + DEADLINE);
    while served.handle.turns() < turns + 2 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    served.drain();
}

#[test]
fn one_busy_client_leaves_the_others_their_turn() {
    let served = Served::start(64, |options| options.in_flight_max = 1_000_000);
    let mut busy = served.client();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (mut sender, stopped) = (busy.writer.try_clone().unwrap(), std::sync::Arc::clone(&stop));
    let sending = std::thread::Builder::new()
        .spawn(move || {
            let lines = "{}\n".repeat(10_000);
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) && sender.write_all(lines.as_bytes()).is_ok() {}
            sender.shutdown(Shutdown::Write).ok();
        })
        .unwrap();
    let reading = std::thread::Builder::new()
        .spawn(move || {
            let mut room = vec![0; 1 << 16];
            while busy.reader.read(&mut room).unwrap() > 0 {}
        })
        .unwrap();
    for n in 0..100 {
        let mut other = served.client();
        other.place(&n.to_string(), n);
        served.answer_next(1);
        assert_eq!(other.answer()["id"], n);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    sending.join().unwrap();
    reading.join().unwrap();
    served.drain();
}
