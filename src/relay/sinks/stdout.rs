//! A stream with one event a line: standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::contracts::{Delivery, Sequence, Sink, SinkError};

/// Writes to a stream. An acknowledgement means that the system has taken the bytes, not that anybody has read them.
#[derive(Debug)]
pub struct StdoutSink<W> {
    name: &'static str,
    stream: W,
    /// What of a batch the stream had taken when it failed. The rest of the same batch goes on from there, so that no
    /// torn line is left in the middle of the stream.
    begun: Option<Begun>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begun {
    first: Sequence,
    last: Sequence,
    bytes: usize,
}

impl StdoutSink<File> {
    /// Standard output, without a buffer of its own.
    ///
    /// # Errors
    /// The process has none.
    pub fn stdout() -> io::Result<Self> {
        Ok(Self::new("standard output", File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }
}

impl<W: Write + Send> StdoutSink<W> {
    /// Writes to `stream`, which error messages call `name`.
    pub const fn new(name: &'static str, stream: W) -> Self {
        Self { name, stream, begun: None }
    }

    fn write(&mut self, lines: &[u8], taken: &mut usize) -> io::Result<()> {
        while let Some(rest) = lines.get(*taken..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => *taken += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.flush()
    }
}

impl<W: Write + Send> Sink for StdoutSink<W> {
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<(), SinkError> {
        let Delivery { first, last, .. } = *delivery;
        let same = self.begun.take().filter(|begun| (begun.first, begun.last) == (first, last));
        let mut bytes = same.map_or(0, |begun| begun.bytes);
        self.write(delivery.lines, &mut bytes).map_err(|source| {
            self.begun = Some(Begun { first, last, bytes });
            // A pipe whose reader is gone never gets another one.
            let is_final = source.kind() == io::ErrorKind::BrokenPipe;
            SinkError { operation: "write to", target: self.name.to_owned(), is_final, source }
        })
    }

    /// There is nothing to open again.
    fn reopen(&mut self) {}
}

#[cfg(test)]
#[path = "stdout_test.rs"]
mod tests;
