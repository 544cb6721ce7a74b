//! An attached connection: lines in, lines out, and nothing that waits.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

/// Read at once, at most.
const READ_BYTES: usize = 64 * 1024;
/// Unwritten bytes beyond which nothing more is handed out.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// One connection. A program that does not read fills its own buffer, and nothing else.
pub(super) struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    /// Where the next line begins in `input`.
    start: usize,
    /// How much of `input` was looked at for an end of line.
    scanned: usize,
    line_bytes_max: usize,
    output: Vec<u8>,
    written: usize,
    readable: bool,
    writable: bool,
    ended: bool,
    /// The server counts the connection until this is dropped.
    _occupancy: Box<dyn Send>,
}

/// The attached program.
pub(super) struct Consumer {
    pub(super) connection: Connection,
    pub(super) token: Token,
}

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// A line without its end.
    Line(&'a [u8]),
    /// A line that is longer than allowed.
    TooLong,
    /// Nothing more at present.
    Nothing,
    /// Nothing more ever: the program has closed its side, or is gone.
    End,
}

impl Connection {
    pub(super) fn new(
        stream: std::os::unix::net::UnixStream,
        received: Vec<u8>,
        line_bytes_max: usize,
        occupancy: Box<dyn Send>,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: UnixStream::from_std(stream),
            input: received,
            start: 0,
            scanned: 0,
            line_bytes_max,
            output: Vec::new(),
            written: 0,
            readable: true,
            writable: true,
            ended: false,
            _occupancy: occupancy,
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE.add(Interest::WRITABLE))
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // It goes with the descriptor in any case.
        registry.deregister(&mut self.stream).ok();
    }

    /// Notes what the poll has found: edges, which must not be forgotten.
    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed();
        self.writable |= event.is_writable() || event.is_write_closed();
    }

    /// The next line, reading if need be.
    pub(super) fn next(&mut self) -> Incoming<'_> {
        let end = loop {
            let fresh = self.input.get(self.scanned..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', fresh) {
                break self.scanned + at;
            }
            self.scanned = self.input.len();
            if self.scanned - self.start > self.line_bytes_max {
                return Incoming::TooLong;
            }
            if self.ended {
                return Incoming::End;
            }
            if !self.readable {
                return Incoming::Nothing;
            }
            self.read();
        };
        let line = self.start..end;
        (self.start, self.scanned) = (end + 1, end + 1);
        if line.len() > self.line_bytes_max {
            return Incoming::TooLong;
        }
        Incoming::Line(self.input.get(line).unwrap_or_default())
    }

    fn read(&mut self) {
        self.input.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        let end = self.input.len();
        self.input.resize(end + READ_BYTES, 0);
        let result = self.stream.read(self.input.get_mut(end..).unwrap_or_default());
        self.input.truncate(end + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(_) => self.ended = true,
        }
    }

    /// Where lines are appended; [`Connection::flush`] sends them.
    pub(super) const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Whether more may be handed out.
    pub(super) fn has_room(&self) -> bool {
        self.output.len() - self.written < OUT_BYTES_MAX
    }

    /// Whether all that was appended is sent.
    pub(super) const fn is_flushed(&self) -> bool {
        self.output.is_empty()
    }

    /// Sends what the program takes now.
    pub(super) fn flush(&mut self) {
        while self.writable && !self.output.is_empty() {
            match self.stream.write(self.output.get(self.written..).unwrap_or_default()) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                // Whoever is gone is noticed when reading.
                Err(_) => self.written = self.output.len(),
            }
            if self.written >= self.output.len() {
                self.output.clear();
                self.written = 0;
            }
        }
        if self.written > OUT_BYTES_MAX {
            self.output.drain(..self.written);
            self.written = 0;
        }
    }
}

/// A connection that was told why it is closed, and has a moment to read it: closing at once what still sends would
/// reset it, and it would never know why.
pub(super) struct Lingering {
    connection: Connection,
    until: Duration,
    shut: bool,
}

impl Lingering {
    pub(super) const MAX: Duration = Duration::from_secs(1);

    pub(super) fn new(connection: Connection, now: Duration) -> Self {
        Self { connection, until: now.saturating_add(Self::MAX), shut: false }
    }

    pub(super) const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) const fn until(&self) -> Duration {
        self.until
    }

    /// Sends what is left, and throws away what comes in; whether there is more to wait for.
    pub(super) fn goes_on(&mut self, now: Duration) -> bool {
        let connection = &mut self.connection;
        connection.flush();
        if connection.is_flushed() && !self.shut {
            self.shut = true;
            // Not an error worth telling: the program may be gone, which the next read shows.
            connection.stream.shutdown(Shutdown::Write).ok();
        }
        // A program that sends and sends is not listened to for longer than its turn.
        for _ in 0..16 {
            if !connection.readable || connection.ended {
                break;
            }
            connection.input.clear();
            (connection.start, connection.scanned) = (0, 0);
            connection.read();
        }
        now < self.until && !(connection.ended && connection.is_flushed())
    }
}
