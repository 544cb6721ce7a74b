//! A connection's answers: those still awaited, in the order of the requests, and those that wait to be sent.

use std::collections::VecDeque;
use std::io::{self, Write};

/// How much of the sending buffer is kept once everything is sent.
const BYTES_KEPT: usize = 16 * 1024;

/// Keeps answers in the order of their requests, whenever they come.
#[derive(Debug, Default)]
pub(super) struct ResponseQueue {
    /// One for each request without a sent answer; the first is never [`Pending::Ready`].
    pending: VecDeque<Pending>,
    /// The bytes that `pending` holds beside itself.
    pending_bytes: usize,
    output: Vec<u8>,
    /// How much of `output` is sent.
    sent: usize,
    /// Nobody reads any more: what comes is thrown away.
    unread: bool,
}

#[derive(Debug)]
enum Pending {
    /// The executor has it; its answer goes to this id.
    Awaited(RawId),
    /// The executor has it, and nobody waits for its answer.
    Silent,
    /// The answer, which must not overtake those before it.
    Ready(Box<[u8]>),
}

/// The text of an id. Those of usual length take no memory of their own.
#[derive(Debug)]
pub(super) enum RawId {
    Short { len: u8, bytes: [u8; Self::SHORT_MAX] },
    Long(Box<str>),
}

impl RawId {
    const SHORT_MAX: usize = 22;

    fn new(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            // It was copied from a str, so it is one.
            Self::Short { len, bytes } => {
                bytes.get(..usize::from(*len)).and_then(|id| std::str::from_utf8(id).ok()).unwrap_or("null")
            }
            Self::Long(text) => text,
        }
    }

    const fn held_bytes(&self) -> usize {
        match self {
            Self::Short { .. } => 0,
            Self::Long(text) => text.len(),
        }
    }
}

impl ResponseQueue {
    /// Remembers that the executor has a request with this id.
    pub(super) fn expect(&mut self, id: &str) {
        let id = RawId::new(id);
        self.pending_bytes += id.held_bytes();
        self.pending.push_back(Pending::Awaited(id));
    }

    /// Remembers that the executor has a request that wants no answer.
    pub(super) fn expect_none(&mut self) {
        self.pending.push_back(Pending::Silent);
    }

    /// Gives an answer that the executor has no part in.
    pub(super) fn push_ready(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.pending.is_empty() {
            if !self.unread {
                write(&mut self.output);
            }
            return;
        }
        let mut line = Vec::new();
        write(&mut line);
        self.pending_bytes += line.len();
        self.pending.push_back(Pending::Ready(line.into_boxed_slice()));
    }

    /// Takes the executor's answer to the oldest request that it has.
    pub(super) fn answer_first(&mut self, write: impl FnOnce(&mut Vec<u8>, &str)) {
        match self.pending.pop_front() {
            Some(Pending::Awaited(id)) => {
                self.pending_bytes -= id.held_bytes();
                if !self.unread {
                    write(&mut self.output, id.as_str());
                }
            }
            Some(Pending::Silent) | None => {}
            Some(Pending::Ready(_)) => debug_assert!(false, "the first one is with the executor"),
        }
        self.release_ready();
    }

    fn release_ready(&mut self) {
        while let Some(Pending::Ready(line)) = self.pending.front() {
            self.pending_bytes -= line.len();
            if !self.unread {
                self.output.extend_from_slice(line);
            }
            self.pending.pop_front();
        }
    }

    /// Sends what the client takes.
    pub(super) fn send(&mut self, sink: &mut impl Write) -> io::Result<Sent> {
        let mut bytes = 0;
        loop {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.output.clear();
                self.sent = 0;
                return Ok(Sent { bytes, blocked: false });
            }
            match sink.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.sent += count;
                    bytes += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.forget_sent();
                    return Ok(Sent { bytes, blocked: true });
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// From now on there is nobody to answer.
    pub(super) fn discard(&mut self) {
        self.unread = true;
        self.output = Vec::new();
        self.sent = 0;
    }

    /// Requests whose answers have not come.
    pub(super) fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Whether there is something to send.
    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Whether nothing is owed to the client: all is sent, or there is nobody to send it to.
    pub(super) fn is_settled(&self) -> bool {
        self.unread || (self.pending.is_empty() && !self.has_unsent())
    }

    /// Bytes kept for the client.
    pub(super) fn held_bytes(&self) -> usize {
        self.output.len() - self.sent + self.pending_bytes
    }

    /// Gives memory back.
    pub(super) fn shrink(&mut self) {
        if self.output.capacity() > BYTES_KEPT && self.output.len() * 4 < self.output.capacity() {
            self.output.shrink_to(BYTES_KEPT);
        }
        if self.pending.is_empty() {
            self.pending.shrink_to(0);
        }
    }

    /// A client that takes its answers slowly must not keep the sent ones in memory.
    fn forget_sent(&mut self) {
        if self.sent * 2 > self.output.len() {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
    }
}

/// What came of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    /// How much went out.
    pub(super) bytes: usize,
    /// Whether the client must read before more can go.
    pub(super) blocked: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then blocks.
    struct Narrow(Vec<u8>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.1);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.1 -= count;
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(text: &str) -> impl FnOnce(&mut Vec<u8>) {
        move |out| out.extend_from_slice(text.as_bytes())
    }

    fn with_id(out: &mut Vec<u8>, id: &str) {
        out.extend_from_slice(id.as_bytes());
    }

    #[test]
    fn answers_go_out_in_the_order_of_requests_however_little_is_taken_at_a_time() {
        let long = "l".repeat(100);
        for step in [1, 2, 7, 1000] {
            let (mut responses, mut sink) = (ResponseQueue::default(), Narrow(Vec::new(), 0));
            responses.push_ready(line("a"));
            responses.expect("1");
            responses.push_ready(line("b"));
            responses.expect_none();
            responses.push_ready(line("c"));
            responses.expect(&long);
            responses.push_ready(line("d"));
            assert_eq!((responses.in_flight(), responses.held_bytes()), (6, 1 + 1 + 1 + 100 + 1));
            for _ in 0..3 {
                responses.answer_first(with_id);
            }
            assert_eq!(responses.in_flight(), 0);
            while responses.has_unsent() {
                sink.1 = step;
                let sent = responses.send(&mut sink).unwrap();
                assert!(sent.bytes <= step && sent.blocked == responses.has_unsent());
            }
            assert!(responses.is_settled());
            assert_eq!(responses.held_bytes(), 0);
            assert_eq!(String::from_utf8(sink.0).unwrap(), format!("a1bc{long}d"));
        }
    }

    #[test]
    fn an_id_comes_back_whatever_its_length() {
        for length in [0, 1, RawId::SHORT_MAX - 1, RawId::SHORT_MAX, RawId::SHORT_MAX + 1, 5000] {
            let id = "ü".repeat(length / 2) + &"x".repeat(length % 2);
            assert_eq!(RawId::new(&id).as_str(), id);
        }
    }

    #[test]
    fn nothing_is_kept_for_a_client_that_is_gone() {
        let mut responses = ResponseQueue::default();
        responses.expect("1");
        responses.push_ready(line("b"));
        responses.discard();
        assert!(responses.is_settled(), "nobody is owed anything");
        responses.answer_first(with_id);
        responses.push_ready(line("c"));
        assert_eq!((responses.held_bytes(), responses.in_flight()), (0, 0));
    }
}
