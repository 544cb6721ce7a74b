//! Clients that keep sending through kills and restarts.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Clock, Command, Commands, Rng};
use crate::history::{Call, Outcome, Refusal, Seen, outcome_of};
use crate::support::{Client, DEADLINE, pause};

const RUN: u8 = 0;
/// Nothing new; what is unanswered is sent until it is answered.
const SETTLE: u8 = 1;
const STOP: u8 = 2;

/// The lines of one write, at most.
const BURST_MAX: u64 = 16;

/// What a client saw.
#[derive(Default)]
pub struct Sighting {
    pub calls: Vec<Call>,
    pub seen: Vec<Seen>,
}

/// Clients under way, each in a thread of its own.
pub struct Workers {
    orders: Arc<Orders>,
    threads: Vec<JoinHandle<Sighting>>,
}

/// What the clients share.
struct Orders {
    mode: AtomicU8,
    connections: AtomicU64,
    /// Bit n is set while client n has nothing left to do.
    resting: AtomicU64,
    socket: PathBuf,
    clock: Clock,
}

/// What a crew is told to do.
pub struct Task {
    pub clients: u64,
    /// Writes of new commands by each client; then it only sends again what was not answered.
    pub bursts_max: u64,
    /// How long a client rests between two writes, at most.
    pub idle_us_max: u64,
}

impl Task {
    /// New commands until told otherwise.
    pub fn endless(clients: u64) -> Task {
        Task { clients, bursts_max: u64::MAX, idle_us_max: 4000 }
    }
}

impl Workers {
    pub fn start(task: &Task, socket: &Path, clock: &Clock, rng: &mut Rng) -> Workers {
        assert!((1..=64).contains(&task.clients), "a bit for each client");
        let orders = Arc::new(Orders {
            mode: AtomicU8::new(RUN),
            connections: AtomicU64::new(0),
            resting: AtomicU64::new(0),
            socket: socket.to_owned(),
            clock: clock.clone(),
        });
        let known = Arc::new(Mutex::new(Vec::new()));
        let start = |number| {
            let commands = Commands::new(rng.fork(number), Arc::clone(&known));
            let client = Worker {
                orders: Arc::clone(&orders),
                bit: 1 << number,
                bursts_left: task.bursts_max,
                idle_us_max: task.idle_us_max,
                settle_since: None,
                commands,
                unanswered: VecDeque::new(),
                sighting: Sighting::default(),
            };
            std::thread::Builder::new().name(format!("client-{number}")).spawn(move || client.run()).expect("a thread")
        };
        let threads = (0..task.clients).map(start).collect();
        Workers { orders, threads }
    }

    /// Every client has sent all it may, and has every answer.
    pub fn is_resting(&self) -> bool {
        self.orders.resting.load(Ordering::SeqCst).count_ones() as usize == self.threads.len()
    }

    /// How many connections the clients have made.
    pub fn connections(&self) -> u64 {
        self.orders.connections.load(Ordering::SeqCst)
    }

    /// Sends what is unanswered until all is answered, nothing new, and returns what was seen.
    pub fn settle(self) -> Sighting {
        self.end(SETTLE)
    }

    /// Stops where it is: what is unanswered stays so.
    pub fn abandon(self) -> Sighting {
        self.end(STOP)
    }

    fn end(self, mode: u8) -> Sighting {
        self.orders.mode.store(mode, Ordering::SeqCst);
        let mut all = Sighting::default();
        for thread in self.threads {
            let sighting = thread.join().expect("a client that found nothing wrong");
            all.calls.extend(sighting.calls);
            all.seen.extend(sighting.seen);
        }
        all
    }
}

/// One client.
struct Worker {
    orders: Arc<Orders>,
    bit: u64,
    bursts_left: u64,
    idle_us_max: u64,
    settle_since: Option<Instant>,
    commands: Commands,
    unanswered: VecDeque<Command>,
    sighting: Sighting,
}

/// One connection and how far it has come.
struct Line {
    client: Client,
    connection: u64,
    position: u64,
}

impl Worker {
    fn run(mut self) -> Sighting {
        while !self.is_over() {
            let Ok(client) = Client::try_connect(&self.orders.socket) else {
                pause(Duration::from_millis(1));
                continue;
            };
            self.orders.connections.fetch_add(1, Ordering::SeqCst);
            let connection = self.orders.clock.connection();
            let mut line = Line { client, connection, position: 0 };
            while !self.is_over() {
                if let Err(error) = self.act(&mut line) {
                    let hanging = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                    assert!(!hanging, "the daemon left a client hanging");
                    break;
                }
                let idle_us = self.commands.rng().below(self.idle_us_max + 1);
                pause(Duration::from_micros(idle_us));
            }
        }
        self.sighting
    }

    /// Asks or tells something, or rests.
    fn act(&mut self, line: &mut Line) -> io::Result<()> {
        let has_work = self.may_begin() || !self.unanswered.is_empty();
        if has_work {
            self.orders.resting.fetch_and(!self.bit, Ordering::SeqCst);
        } else {
            self.orders.resting.fetch_or(self.bit, Ordering::SeqCst);
            return Ok(());
        }
        if self.commands.rng().chance(8) { self.ask_status(line) } else { self.burst(line) }
    }

    fn mode(&self) -> u8 {
        self.orders.mode.load(Ordering::SeqCst)
    }

    fn may_begin(&self) -> bool {
        self.mode() == RUN && self.bursts_left > 0
    }

    fn is_over(&mut self) -> bool {
        match self.mode() {
            RUN => false,
            SETTLE => {
                let since = self.settle_since.get_or_insert_with(Instant::now);
                assert!(since.elapsed() < DEADLINE, "{} commands find no answer", self.unanswered.len());
                self.unanswered.is_empty()
            }
            _ => true,
        }
    }

    /// What to send next: what is unanswered first.
    fn choose(&mut self) -> Vec<Command> {
        let count = 1 + self.commands.rng().below(BURST_MAX);
        let count = usize::try_from(count).expect("a small number");
        let again = count.min(self.unanswered.len());
        let mut chosen: Vec<Command> = self.unanswered.drain(..again).collect();
        if self.may_begin() {
            self.bursts_left -= 1;
            while chosen.len() < count {
                chosen.push(self.commands.next());
            }
        }
        chosen
    }

    /// Sends some commands in one write, then reads their answers.
    fn burst(&mut self, line: &mut Line) -> io::Result<()> {
        let commands = self.choose();
        let first = line.position + 1;
        let mut bytes = String::new();
        for (command, position) in commands.iter().zip(first..) {
            bytes.push_str(&command.line(position));
            bytes.push('\n');
        }
        line.position += commands.len() as u64;
        let invoked = self.orders.clock.now();
        // A failed write may have sent some of it, so the answers are looked for all the same.
        let mut state = line.client.try_send_raw(&bytes);
        for (command, position) in commands.into_iter().zip(first..) {
            let outcome = match state {
                Ok(()) => self.read(line, position),
                Err(_) => Ok(Outcome::Unknown),
            };
            let outcome = outcome.unwrap_or_else(|error| {
                state = Err(error);
                Outcome::Unknown
            });
            self.note(command, outcome, invoked, line.connection, position);
        }
        state
    }

    fn read(&mut self, line: &mut Line, position: u64) -> io::Result<Outcome> {
        let answer = read_answer(&mut line.client)?;
        let at = self.orders.clock.now();
        assert_eq!(answer["id"], position, "answers come in the order of the requests");
        let outcome = outcome_of(&answer, at).unwrap_or_else(|why| panic!("{why}: {answer}"));
        Ok(outcome)
    }

    fn note(&mut self, command: Command, outcome: Outcome, invoked: u64, connection: u64, position: u64) {
        let open = matches!(outcome, Outcome::Unknown | Outcome::Refused { refusal: Refusal::TurnedAway, .. });
        if open && command.may_be_sent_again() && self.mode() != STOP {
            self.unanswered.push_back(command.clone());
        }
        self.sighting.calls.push(Call {
            connection,
            position,
            request: command.request,
            command_id: command.command_id,
            invoked,
            outcome,
        });
    }

    fn ask_status(&mut self, line: &mut Line) -> io::Result<()> {
        let invoked = self.orders.clock.now();
        line.client.try_send_raw("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"daemon.status\"}\n")?;
        let answer = read_answer(&mut line.client)?;
        if answer["error"]["data"]["retryable"] == true {
            return Ok(());
        }
        let status = &answer["result"];
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("a number is missing in {answer}"));
        let acked = status["sinks"].as_array().expect("the sinks").iter();
        self.sighting.seen.push(Seen {
            invoked,
            durable_lsn: number(&status["journal"]["durable_lsn"]),
            last_sequence: number(&status["outbox"]["last_sequence"]),
            acked_sequence: acked.map(|sink| number(&sink["acked_sequence"])).max().unwrap_or(0),
        });
        Ok(())
    }
}

fn read_answer(client: &mut Client) -> io::Result<Value> {
    let text = client.try_read_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in answer {text:?}")))
}
