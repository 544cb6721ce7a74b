//! The attacks, each repeated until it is told to stop; each returns how often it was made.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::load::Rng;
use crate::support::{DEADLINE, pause};

pub struct Attack {
    pub name: &'static str,
    pub act: fn(Target) -> u64,
}

pub struct Target {
    pub socket: PathBuf,
    pub rng: Rng,
    pub over: Arc<AtomicBool>,
}

pub const ATTACKS: &[Attack] = &[
    Attack { name: "long lines", act: long_lines },
    Attack { name: "random bytes", act: random_bytes },
    Attack { name: "deep nesting", act: deep_nesting },
    Attack { name: "half lines", act: half_lines },
    Attack { name: "connects", act: connects },
    Attack { name: "never reads", act: never_reads },
    Attack { name: "fat answers", act: fat_answers },
    Attack { name: "crowd", act: crowd },
];

/// More than the cap of 256.
const CROWD: usize = 300;

const CONNECTIONS_MAX: usize = 256;

impl Target {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// A connection, or None while the crowd has them all.
    fn connect(&self) -> Option<UnixStream> {
        let stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).expect("a time-out");
        stream.set_write_timeout(Some(DEADLINE)).expect("a time-out");
        Some(stream)
    }

    /// Makes the attack until it is over; an attack that was turned away at the door does not count.
    fn repeat(mut self, mut act: impl FnMut(&mut Target, UnixStream) -> bool) -> u64 {
        let mut times = 0;
        while !self.is_over() {
            match self.connect() {
                Some(stream) => times += u64::from(act(&mut self, stream)),
                None => pause(Duration::from_millis(1)),
            }
        }
        times
    }
}

/// All that comes until the daemon closes. Panics when it does not close.
fn read_to_close(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        let closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
        assert!(closed, "the daemon neither answers nor closes: {error}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ten megabytes without an end: refused at the limit, not gathered, and closed.
fn long_lines(target: Target) -> u64 {
    let block = vec![b'x'; 1 << 20];
    target.repeat(|_, mut stream| {
        // What is behind the limit may be read and thrown away, so that the answer is not lost in a reset.
        let sent = (0..10).take_while(|_| stream.write_all(&block).is_ok()).count();
        let answer = read_to_close(&mut stream);
        assert_eq!(answer.matches('\n').count(), usize::from(!answer.is_empty()), "one answer: {answer}");
        let is_refused = answer.contains("line_too_long");
        assert!(is_refused || answer.contains("overloaded") || sent < 10, "not refused: {answer:?}");
        is_refused
    })
}

/// Noise, with line ends in it: each line that is one is answered with an error, and nothing else happens.
fn random_bytes(target: Target) -> u64 {
    target.repeat(|target, mut stream| {
        let mut noise = target.rng.bytes(20_000);
        noise.push(b'\n');
        if stream.write_all(&noise).is_err() || stream.shutdown(std::net::Shutdown::Write).is_err() {
            return false;
        }
        let answers = read_to_close(&mut stream);
        for answer in answers.lines() {
            assert!(answer.contains("\"error\""), "noise was taken for a command: {answer}");
        }
        answers.contains("parse_error")
    })
}

/// A hundred thousand brackets, and as many objects: refused without a stack that overflows.
fn deep_nesting(target: Target) -> u64 {
    let arrays = "[".repeat(100_000);
    let objects = "{\"a\":".repeat(50_000);
    let params = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"order.get\",\"params\":{{\"order_id\":{}",
        "[".repeat(100_000)
    );
    target.repeat(|target, mut stream| {
        let line = match target.rng.below(3) {
            0 => &arrays,
            1 => &objects,
            _ => &params,
        };
        let sent = stream.write_all(line.as_bytes()).and_then(|()| stream.write_all(b"\n"));
        if sent.is_err() || stream.shutdown(std::net::Shutdown::Write).is_err() {
            return false;
        }
        let answer = read_to_close(&mut stream);
        assert!(answer.is_empty() || answer.contains("\"error\""), "{answer}");
        !answer.is_empty() && !answer.contains("overloaded")
    })
}

/// Half a command, and then silence: closed after `line_ms_max`, and not executed.
fn half_lines(target: Target) -> u64 {
    let half = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"order.place\",\"params\":{\"customer_id\":\
        \"00000000-0000-7000-8000-000000000000\",\"total_amount\":1}}";
    target.repeat(|target, mut stream| {
        let start = Instant::now();
        if stream.write_all(half).is_err() {
            return false;
        }
        if target.rng.chance(30) {
            // Gone before the line's end.
            return true;
        }
        let said = read_to_close(&mut stream);
        assert!(!said.contains("\"result\""), "half a line was executed: {said}");
        assert!(start.elapsed() < Duration::from_secs(20), "a half line was waited for {:?}", start.elapsed());
        true
    })
}

/// Connections that come and go.
fn connects(target: Target) -> u64 {
    target.repeat(|target, mut stream| {
        if target.rng.chance(50) {
            // A few go on to say something, without waiting for an answer.
            stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n").ok();
        }
        true
    })
}

/// Asks without end and never reads an answer: stopped by the daemon, at its own cost.
fn never_reads(target: Target) -> u64 {
    let question = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n".repeat(200);
    target.repeat(|target, mut stream| {
        let start = Instant::now();
        stream.set_write_timeout(Some(Duration::from_millis(100))).expect("a time-out");
        let mut was_heard = false;
        while !target.is_over() {
            match stream.write_all(question.as_bytes()) {
                Ok(()) => was_heard = true,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    assert!(start.elapsed() < DEADLINE, "a client that never reads is never closed");
                }
                Err(_) => break,
            }
        }
        was_heard
    })
}

/// Many that never read, with ids so long that their answers would fill the memory: an answer repeats its id.
fn fat_answers(target: Target) -> u64 {
    let question = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{}\",\"method\":\"daemon.status\"}}\n", "x".repeat(200_000));
    let mut times = 0;
    while !target.is_over() {
        let start = Instant::now();
        let mut streams: Vec<UnixStream> = (0..24).filter_map(|_| target.connect()).collect();
        for stream in &streams {
            stream.set_write_timeout(Some(Duration::from_millis(10))).expect("a time-out");
        }
        let mut was_heard = false;
        while !streams.is_empty() && !target.is_over() {
            assert!(start.elapsed() < DEADLINE, "clients that never read are never closed");
            streams.retain_mut(|stream| match stream.write_all(question.as_bytes()) {
                Ok(()) => {
                    was_heard = true;
                    true
                }
                // A part of the line may be sent: what follows is noise, and may be treated as such.
                Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            });
        }
        times += u64::from(was_heard);
    }
    times
}

/// More connections than the cap, held for a while: those above it are turned away, those below it stay.
fn crowd(mut target: Target) -> u64 {
    let mut times = 0;
    while !target.is_over() {
        let streams: Vec<UnixStream> = (0..CROWD).filter_map(|_| target.connect()).filter_map(ask).collect();
        let inside: Vec<UnixStream> = streams.into_iter().filter_map(is_inside).collect();
        assert!(inside.len() <= CONNECTIONS_MAX, "{} connections were served at once", inside.len());
        times += u64::from(!inside.is_empty());
        let hold = target.rng.below(30);
        pause(Duration::from_millis(hold));
        // Between two crowds the others get in.
        drop(inside);
        let rest = target.rng.below(200);
        pause(Duration::from_millis(rest));
    }
    times
}

/// The connection, with a question sent; one that was turned away at once may be closed already.
fn ask(mut stream: UnixStream) -> Option<UnixStream> {
    stream.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n").ok()?;
    Some(stream)
}

/// The connection, if it was let in: then its question is answered.
fn is_inside(mut stream: UnixStream) -> Option<UnixStream> {
    let mut first = [0; 64];
    let bytes = match stream.read(&mut first) {
        Ok(bytes) => bytes,
        Err(error) => {
            let closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
            assert!(closed, "the daemon neither answers nor closes: {error}");
            return None;
        }
    };
    let answer = String::from_utf8_lossy(&first[..bytes]);
    let refused = answer.is_empty() || answer.contains("error");
    (!refused).then_some(stream)
}
