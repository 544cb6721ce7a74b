//! A connection's answers: those still awaited, in the order of the requests, and those that wait to be sent.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::call::Shown;
use super::methods::Method;
use crate::contracts::Ticket;

/// How much of the sending buffer is kept once everything is sent.
const BYTES_KEPT: usize = 16 * 1024;
/// What one write takes at most. A client that reads frees the room of whole writes: with small ones it is seen to read.
const WRITE_BYTES_MAX: usize = 32 * 1024;

/// Keeps answers in the order of their requests, whenever they come.
#[derive(Debug, Default)]
pub(super) struct ResponseQueue {
    /// One for each request without a sent answer; the first is one that the executor has.
    pending: VecDeque<Pending>,
    /// The ticket of the first.
    first_ticket: u64,
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
    /// The executor has it.
    Awaited(Awaited),
    /// The answer, which must not overtake those before it; empty where none is wanted.
    Ready(Box<[u8]>),
    /// Written when those before it are answered, so that it shows what they did.
    Shown(RawId, Shown),
}

/// A request that the executor has.
#[derive(Debug)]
pub(super) struct Awaited {
    /// Whom the answer is for; `None` if nobody waits for it.
    pub(super) id: Option<RawId>,
    pub(super) method: Method,
    /// The length of its line.
    pub(super) line_bytes: usize,
}

/// The text of an id. Those of usual length take no memory of their own.
#[derive(Debug)]
pub(super) enum RawId {
    Short { len: u8, bytes: [u8; Self::SHORT_MAX] },
    Long(Box<str>),
}

impl RawId {
    const SHORT_MAX: usize = 22;

    pub(super) fn new(text: &str) -> Self {
        let mut bytes = [0; Self::SHORT_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(text.as_bytes());
                Self::Short { len, bytes }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
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
    /// The ticket of the next request.
    pub(super) fn next_ticket(&self) -> Ticket {
        Ticket(self.first_ticket.saturating_add(self.pending.len() as u64))
    }

    /// Remembers that the executor has a request, with the ticket that was the next.
    pub(super) fn expect(&mut self, awaited: Awaited) {
        self.pending_bytes += awaited.id.as_ref().map_or(0, RawId::held_bytes);
        self.pending.push_back(Pending::Awaited(awaited));
    }

    /// Gives an answer that the executor has no part in.
    pub(super) fn push_ready(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.pending.is_empty() {
            self.first_ticket += 1;
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

    /// Shows something once everything before it is answered, which may be now.
    pub(super) fn push_shown(&mut self, id: &str, shown: Shown, show: impl FnOnce(&mut Vec<u8>, &str, Shown)) {
        if self.pending.is_empty() {
            self.first_ticket += 1;
            if !self.unread {
                show(&mut self.output, id, shown);
            }
            return;
        }
        let id = RawId::new(id);
        self.pending_bytes += id.held_bytes();
        self.pending.push_back(Pending::Shown(id, shown));
    }

    /// Takes the executor's answer to the request of this ticket, and returns that request. Answers may come in any
    /// order; `write` writes this one, for an id.
    pub(super) fn answer(&mut self, ticket: Ticket, write: impl FnOnce(&mut Vec<u8>, &str)) -> Option<Awaited> {
        let index = usize::try_from(ticket.0.checked_sub(self.first_ticket)?).ok()?;
        let entry = self.pending.get_mut(index)?;
        if !matches!(entry, Pending::Awaited(_)) {
            return None;
        }
        let Pending::Awaited(awaited) = std::mem::replace(entry, Pending::Ready(Box::default())) else { return None };
        let Some(id) = &awaited.id else { return Some(awaited) };
        self.pending_bytes -= id.held_bytes();
        if self.unread {
            return Some(awaited);
        }
        if index == 0 {
            write(&mut self.output, id.as_str());
            return Some(awaited);
        }
        let mut line = Vec::new();
        write(&mut line, id.as_str());
        self.pending_bytes += line.len();
        *entry = Pending::Ready(line.into_boxed_slice());
        Some(awaited)
    }

    /// Moves what has waited for its turn, and has it now, to what is to be sent.
    pub(super) fn release(&mut self, mut show: impl FnMut(&mut Vec<u8>, &str, Shown)) {
        loop {
            match self.pending.front() {
                Some(Pending::Ready(line)) => {
                    self.pending_bytes -= line.len();
                    if !self.unread {
                        self.output.extend_from_slice(line);
                    }
                }
                Some(Pending::Shown(id, shown)) => {
                    self.pending_bytes -= id.held_bytes();
                    if !self.unread {
                        show(&mut self.output, id.as_str(), *shown);
                    }
                }
                Some(Pending::Awaited(_)) | None => return,
            }
            self.pending.pop_front();
            self.first_ticket += 1;
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
            match sink.write(rest.get(..WRITE_BYTES_MAX).unwrap_or(rest)) {
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
#[path = "response_queue_test.rs"]
mod tests;
