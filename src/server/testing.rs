//! The whole server over real sockets, with the test in the executor's place.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use serde_json::Value;
use tempfile::TempDir;

use super::{Listener, Server, ServerHandle, ServerOptions, ServerPorts, ServerTelemetry};
use crate::contracts::{
    Answer, AttachTarget, ChangeRequest, Command, Envelope, JournalStatus, Lsn, OperatorResult, Outcome, Refusal,
    Request, RequestReceiver, Sequence, SinkMonitor, SinkStatus, SinkType, StatusModel, StoreCondition, StoreStatus,
};
use crate::domain::{Cents, CustomerId, OrderId, OrderState, OrderStatus, Timestamp};
use crate::testkit::SteppedClock;

/// Nothing here takes long; what takes longer is not going to happen.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
pub(super) const UUID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub(super) struct Served {
    pub(super) dir: TempDir,
    pub(super) handle: ServerHandle,
    pub(super) requests: RefCell<RequestReceiver>,
    pub(super) store: Arc<StatusModel>,
    pub(super) answers: Option<Sender<Vec<Answer>>>,
    pub(super) thread: JoinHandle<io::Result<()>>,
}

pub(super) fn options(dir: &TempDir) -> ServerOptions {
    ServerOptions {
        socket: dir.path().join("s"),
        socket_mode: 0o600,
        socket_group: None,
        allowed_uids: Vec::new(),
        operator_uids: Vec::new(),
        observer_uids: Vec::new(),
        connections_max: 16,
        operator_connections: 0,
        line_bytes_max: 4096,
        metadata_bytes_max: 1024,
        metadata_levels_max: 32,
        program_chars_max: 100,
        outsider_connections_max: 16,
        in_flight_max: 8,
        queue_commands_max: 64,
        queue_bytes_max: 1 << 20,
        answer_bytes_max: 1 << 20,
        answers_bytes_max: 1 << 24,
        line_ms_max: Duration::from_secs(60),
        idle_ms_max: Duration::from_secs(60),
        write_ms_max: Duration::from_secs(60),
        shutdown_ms_max: Duration::from_secs(60),
    }
}

impl Served {
    pub(super) fn start(change: impl FnOnce(&mut ServerOptions)) -> Self {
        Self::with_sinks(Vec::new(), change)
    }

    pub(super) fn with_sinks(targets: Vec<AttachTarget>, change: impl FnOnce(&mut ServerOptions)) -> Self {
        let dir = TempDir::new().unwrap();
        let mut options = options(&dir);
        change(&mut options);
        let (requests, receiver) = Server::request_queue(&options);
        let (answers, answers_heard) = unbounded();
        let store = Arc::new(StatusModel::new(store_status(), 1000));
        let ports = ServerPorts {
            requests,
            answers: answers_heard,
            clock: Arc::new(SteppedClock::default()),
            store: Arc::clone(&store),
            sinks: vec![Arc::new(SinkMonitor::new(sink_status()))],
            targets,
            telemetry: ServerTelemetry::default(),
        };
        let listener = Listener::bind(&options).unwrap();
        let (server, handle) = Server::new(listener, options, ports).unwrap();
        let thread = std::thread::Builder::new().name("server".into()).spawn(move || server.run()).unwrap();
        Self { dir, handle, requests: RefCell::new(receiver), store, answers: Some(answers), thread }
    }

    pub(super) fn client(&self) -> Client {
        Client::connect(&self.dir)
    }

    pub(super) fn next(&self) -> Envelope {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(envelope) = self.try_next() {
                return envelope;
            }
            assert!(Instant::now() < deadline, "no request in time");
            std::thread::yield_now();
        }
    }

    pub(super) fn try_next(&self) -> Option<Envelope> {
        let mut batch = Vec::new();
        self.requests.borrow_mut().take(&mut batch, 1);
        batch.pop()
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
        assert_eq!(self.try_next(), None);
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
        Request::Operate(_) => Outcome::Operated(Box::new(OperatorResult::Done {})),
    }
}

pub(super) fn sink_status() -> SinkStatus {
    SinkStatus::new("events".to_owned(), SinkType::File, Sequence(5))
}

pub(super) fn store_status() -> StoreStatus {
    StoreStatus {
        condition: StoreCondition::Ready,
        journal: JournalStatus { durable_lsn: Lsn(3), checkpoint_lsn: Lsn(2), bytes: 1, segments: 1 },
        orders_count: 4,
        last_sequence: Sequence(5),
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
        Request::Change(_) | Request::Get { .. } | Request::Operate(_) => {
            panic!("an order was to be placed, not {envelope:?}")
        }
    }
}
