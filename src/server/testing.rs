//! The whole server over real sockets, with the test in the executor's place.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::Value;
use tempfile::TempDir;

use super::{Listener, Server, ServerHandle, ServerOptions};
use crate::contracts::{
    Answer, ChangeRequest, Clock, Command, Envelope, JournalStatus, Lsn, OperatorResult, Outcome, Refusal, Request,
    Sequence, StoreStatus,
};
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};

/// Nothing here takes long; what takes longer is not going to happen.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
pub(super) const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Sinks have no age here.
pub(super) struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

pub(super) struct Served {
    pub(super) dir: TempDir,
    pub(super) handle: ServerHandle,
    pub(super) envelopes: Receiver<Envelope>,
    pub(super) answers: Option<Sender<Vec<Answer>>>,
    pub(super) thread: JoinHandle<io::Result<()>>,
}

pub(super) fn options(dir: &TempDir) -> ServerOptions {
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
    pub(super) fn start(queue: usize, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut options = options(&dir);
        change(&mut options);
        let (submit, envelopes) = bounded(queue);
        let (answers, receiver) = unbounded();
        let listener = Listener::bind(&options).unwrap();
        let (server, handle) =
            Server::new(listener, options, submit, receiver, Arc::new(StillClock), Vec::new()).unwrap();
        let thread = std::thread::Builder::new().name("server".into()).spawn(move || server.run()).unwrap();
        Self { dir, handle, envelopes, answers: Some(answers), thread }
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(&self.dir)
    }

    pub(super) fn next(&self) -> Envelope {
        self.envelopes.recv_timeout(DEADLINE).expect("a request in time")
    }

    pub(super) fn answer(&self, envelopes: &[Envelope]) {
        let answer = |envelope: &Envelope| Answer {
            connection: envelope.connection,
            ticket: envelope.ticket,
            outcome: outcome(&envelope.request),
        };
        let batch = envelopes.iter().map(answer).collect();
        self.answers.as_ref().unwrap().send(batch).unwrap();
        self.handle.answers_ready();
    }

    /// Answers `count` requests, each as soon as it is there.
    pub(super) fn answer_next(&self, count: usize) {
        for _ in 0..count {
            self.answer(&[self.next()]);
        }
    }

    pub(super) fn nothing_is_submitted(&self) {
        assert_eq!(self.envelopes.try_recv().ok(), None);
    }

    pub(super) fn join(self) -> TempDir {
        self.thread.join().unwrap().unwrap();
        self.dir
    }

    pub(super) fn drain(self) -> TempDir {
        self.handle.drain();
        self.join()
    }
}

pub(super) fn outcome(request: &Request) -> Outcome {
    match request {
        Request::Change(change) => changed(&change.command),
        Request::Get { order_id } => {
            Outcome::Found(order(*order_id, CustomerId::parse(UUID).unwrap(), Cents::new(5).unwrap()))
        }
        Request::Status => Outcome::Status(StoreStatus {
            full: false,
            journal: JournalStatus { durable_lsn: Lsn(3), checkpoint_lsn: Lsn(2), bytes: 1, segments: 1 },
            orders_count: 4,
            last_sequence: Sequence(5),
        }),
        Request::Operate(_) => Outcome::Operated(Box::new(OperatorResult::Done {})),
    }
}

fn changed(command: &Command) -> Outcome {
    match command {
        Command::Place { order_id, customer_id, total_amount } => Outcome::Changed {
            order: order(order_id.unwrap_or(OrderId::parse(UUID).unwrap()), *customer_id, *total_amount),
            lsn: Lsn(total_amount.get() + 1),
            duplicate: false,
        },
        Command::Complete { .. } | Command::Cancel { .. } => Outcome::Refused(Refusal::StorageFull),
    }
}

pub(super) fn order(order_id: OrderId, customer_id: CustomerId, total_amount: Cents) -> OrderState {
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

pub(super) struct Client {
    pub(super) writer: UnixStream,
    pub(super) reader: BufReader<UnixStream>,
}

impl Client {
    pub(super) fn connect(dir: &TempDir) -> Self {
        let writer = UnixStream::connect(dir.path().join("s")).unwrap();
        writer.set_read_timeout(Some(DEADLINE)).unwrap();
        writer.set_write_timeout(Some(DEADLINE)).unwrap();
        let reader = BufReader::new(writer.try_clone().unwrap());
        Self { writer, reader }
    }

    pub(super) fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn place(&mut self, id: &str, amount: u64) {
        self.send(&place(&format!("\"id\":{id},"), amount));
    }

    pub(super) fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "an answer, not the end: {line:?}");
        serde_json::from_str(&line).unwrap()
    }

    pub(super) fn error(&mut self) -> (i64, String) {
        let answer = self.answer();
        (answer["error"]["code"].as_i64().unwrap(), answer["error"]["message"].as_str().unwrap().to_owned())
    }

    pub(super) fn finish(&mut self) {
        self.writer.shutdown(Shutdown::Write).unwrap();
    }

    pub(super) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

pub(super) fn place(id: &str, amount: u64) -> String {
    let params = format!(r#"{{"customer_id":"{UUID}","total_amount":{amount}}}"#);
    format!("{{\"jsonrpc\":\"2.0\",{id}\"method\":\"order.place\",\"params\":{params}}}\n")
}

pub(super) fn amount_of(envelope: &Envelope) -> u64 {
    match &envelope.request {
        Request::Change(ChangeRequest { command: Command::Place { total_amount, .. }, .. }) => total_amount.get(),
        Request::Change(_) | Request::Get { .. } | Request::Status | Request::Operate(_) => {
            panic!("an order was to be placed, not {envelope:?}")
        }
    }
}
