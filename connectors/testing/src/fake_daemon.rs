//! A scripted daemon with one subscription sink.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::ops::Deref;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::fake_state::State;
use crate::fake_wire;
use crate::home::Home;
use crate::told::Told;
use crate::wait::eventually;

/// Speaks the attach protocol of a daemon with the sink [`Home::SINK`], and knows what a connector may not do.
/// Dropping it fails the test if the protocol was violated.
pub struct FakeDaemon {
    home: Home,
    shared: Arc<Shared>,
    listening: Option<Listening>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The answer to every attach: code, kind, retryable.
    refusal: Mutex<Option<(i32, &'static str, bool)>>,
}

struct Listening {
    stopped: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
    thread: JoinHandle<()>,
}

impl FakeDaemon {
    /// Starts it.
    ///
    /// # Panics
    /// The socket cannot be made.
    #[must_use]
    pub fn start() -> Self {
        let mut daemon = Self::away();
        daemon.come_back();
        daemon
    }

    /// One that does not listen yet.
    #[must_use]
    pub fn away() -> Self {
        let shared = Shared { state: Mutex::new(State::new()), changed: Condvar::new(), refusal: Mutex::new(None) };
        Self { home: Home::new("orderd-fake-"), shared: Arc::new(shared), listening: None }
    }

    /// Refuses every attach from now on, or takes them again.
    ///
    /// # Panics
    /// A thread of the daemon has panicked.
    pub fn refuse(&self, refusal: Option<(i32, &'static str, bool)>) {
        *self.shared.refusal.lock().expect("no thread has panicked") = refusal;
    }

    /// The wait after `failed` and `unavailable` without a time of their own (50 ms at first).
    pub fn set_backoff(&self, backoff: Duration) {
        self.state().backoff = backoff;
    }

    /// Adds live events.
    pub fn publish(&self, lines: impl IntoIterator<Item = String>) {
        let mut state = self.state();
        lines.into_iter().for_each(|line| state.publish(line, None));
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Adds events of a replay.
    pub fn replay(&self, id: &str, lines: impl IntoIterator<Item = String>) {
        let mut state = self.state();
        lines.into_iter().for_each(|line| state.publish(line, Some(id.to_owned())));
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Everything that the program said, in order.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.state().told.clone()
    }

    /// The sequences that were delivered, in the order of their confirmation.
    #[must_use]
    pub fn delivered(&self) -> Vec<u64> {
        let told = self.told().into_iter();
        told.filter_map(|told| if let Told::Delivered(sequence) = told { Some(sequence) } else { None }).collect()
    }

    /// How often a program attached.
    #[must_use]
    pub fn attach_count(&self) -> u64 {
        self.state().attach_count
    }

    /// Whether a program is attached.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.state().attached
    }

    /// Waits until this many events were delivered.
    pub fn wait_delivered(&self, count: usize) {
        eventually(&format!("{count} delivered events"), || {
            let state = self.state();
            let delivered = state.told.iter().filter(|told| matches!(told, Told::Delivered(_))).count();
            assert!(state.violations.is_empty(), "{:?}", state.violations);
            (delivered >= count).then_some(())
        });
    }

    /// Waits until the program said something that `matches`.
    pub fn wait_told(&self, what: &str, matches: impl Fn(&Told) -> bool) -> Told {
        eventually(what, || self.told().into_iter().find(&matches))
    }

    /// Waits until the program said that an operator is needed, and returns why.
    pub fn wait_blocked(&self) -> String {
        self.wait_told("blocked", Told::is_blocked).reason().to_owned()
    }

    /// Waits until the program said that the target is away, and returns why.
    pub fn wait_unavailable(&self) -> String {
        self.wait_told("unavailable", Told::is_passing).reason().to_owned()
    }

    /// Waits for the next thing that the program says while `act` is done, or after it, and that `matches`.
    pub fn wait_told_after(&self, what: &str, act: impl FnOnce(), matches: impl Fn(&Told) -> bool) -> Told {
        let before = self.told().len();
        act();
        eventually(what, || self.told().into_iter().skip(before).find(&matches))
    }

    /// Checks that no event was blamed for what was the target's fault.
    ///
    /// # Panics
    /// One was.
    pub fn assert_nothing_blamed(&self) {
        let told = self.told();
        assert!(!told.iter().any(Told::blames_an_event), "{told:?}");
    }

    /// Says why, and closes the connection of the attached program.
    ///
    /// # Panics
    /// No program is connected.
    pub fn close(&self, kind: &str, message: &str) {
        let listening = self.listening.as_ref().expect("the daemon listens");
        let connections = listening.connections.lock().expect("no thread has panicked");
        let mut stream = connections.last().expect("a program is connected");
        stream.write_all(fake_wire::closing(kind, message).as_bytes()).ok();
        stream.shutdown(Shutdown::Both).ok();
    }

    /// Closes every connection and stops listening, as a kill does.
    ///
    /// # Panics
    /// A thread of the daemon has panicked.
    pub fn go_away(&mut self) {
        let Some(Listening { stopped, connections, thread }) = self.listening.take() else { return };
        stopped.store(true, Ordering::SeqCst);
        // Wakes the accept.
        drop(UnixStream::connect(self.socket()));
        thread.join().expect("the listening thread has not panicked");
        std::fs::remove_file(self.socket()).ok();
        for connection in connections.lock().expect("no thread has panicked").drain(..) {
            connection.shutdown(Shutdown::Both).ok();
        }
        eventually("the connection to end", || (!self.is_attached()).then_some(()));
    }

    /// Listens again.
    ///
    /// # Panics
    /// The socket cannot be made.
    pub fn come_back(&mut self) {
        let listener = UnixListener::bind(self.socket()).expect("a socket");
        let stopped = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (shared, stop, opened) = (self.shared.clone(), stopped.clone(), connections.clone());
        let thread = spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                opened.lock().expect("no thread has panicked").push(stream.try_clone().expect("a clone"));
                let shared = shared.clone();
                spawn(move || shared.serve(stream));
            }
        });
        self.listening = Some(Listening { stopped, connections, thread });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no thread of the daemon has panicked")
    }
}

impl Deref for FakeDaemon {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for FakeDaemon {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.go_away();
        let violations = self.state().violations.clone();
        assert!(violations.is_empty(), "the protocol was violated: {violations:?}");
    }
}

impl Shared {
    fn serve(self: Arc<Self>, stream: UnixStream) {
        let mut lines = BufReader::new(stream.try_clone().expect("a clone"));
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let Some(window) = self.greet(&stream, &line) else { return };
        let handing_out = {
            let (shared, stream) = (self.clone(), stream.try_clone().expect("a clone"));
            spawn(move || shared.hand_out(&stream, window))
        };
        loop {
            line.clear();
            match lines.read_line(&mut line) {
                Ok(bytes) if bytes > 0 && line.ends_with('\n') => {}
                _ => break,
            }
            let mut state = self.state.lock().expect("no thread has panicked");
            if let Err(violation) = fake_wire::notification(&mut state, &line) {
                (&stream).write_all(fake_wire::closing("protocol_error", &violation).as_bytes()).ok();
                state.violations.push(violation);
                break;
            }
            drop(state);
            self.changed.notify_all();
        }
        self.state.lock().expect("no thread has panicked").detach();
        self.changed.notify_all();
        stream.shutdown(Shutdown::Both).ok();
        handing_out.join().expect("the thread has not panicked");
    }

    /// Answers the attach; none if it was refused.
    fn greet(&self, mut stream: &UnixStream, line: &str) -> Option<u64> {
        let mut state = self.state.lock().expect("no thread has panicked");
        let attach = match fake_wire::attach(line) {
            Ok(attach) => attach,
            Err(violation) => {
                state.violations.push(violation);
                return None;
            }
        };
        let refusal = *self.refusal.lock().expect("no thread has panicked");
        let refusal = match refusal {
            Some(refusal) => Some(refusal),
            None if attach.sink != Home::SINK => Some((1201, "sink_not_found", false)),
            None if state.attached => Some((1202, "sink_attached", true)),
            None => None,
        };
        if let Some((code, kind, retryable)) = refusal {
            stream.write_all(fake_wire::refusal(&attach.id, code, kind, retryable).as_bytes()).ok();
            return None;
        }
        let window = state.attach(attach.in_flight_max.unwrap_or(usize::MAX));
        stream.write_all(fake_wire::attached(&attach.id, &attach.sink, window).as_bytes()).ok();
        Some(state.attach_count)
    }

    /// Hands out whatever can be, until the attachment with this number is over.
    fn hand_out(&self, mut stream: &UnixStream, attachment: u64) {
        let mut state = self.state.lock().expect("no thread has panicked");
        while state.attached && state.attach_count == attachment {
            let now = Instant::now();
            let (hand_outs, again) = state.hand_out(now);
            let lines: String = hand_outs.into_iter().map(fake_wire::event).collect();
            if !lines.is_empty() {
                drop(state);
                if stream.write_all(lines.as_bytes()).is_err() {
                    return;
                }
                state = self.state.lock().expect("no thread has panicked");
                continue;
            }
            let wait = again.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(now));
            state = self.changed.wait_timeout(state, wait).expect("no thread has panicked").0;
        }
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name("fake-daemon".to_owned()).spawn(work).expect("a thread")
}
