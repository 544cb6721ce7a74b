//! Standard output: written to the end, or given up when its reader is gone; nothing on it can play tricks on a terminal.

use std::io::{self, BufWriter, StdoutLock, Write};

use super::exit::Failure;
use super::terminal::escape_lines;

/// Buffered standard output. What is written in one call holds whole characters.
pub struct Output {
    inner: BufWriter<StdoutLock<'static>>,
    /// The reader closed its end (`orderd dump | head`): nothing that we could still say is wanted.
    reader_gone: bool,
}

impl Output {
    /// Takes standard output for this command.
    #[must_use]
    pub fn stdout() -> Self {
        Self { inner: BufWriter::with_capacity(64 * 1024, io::stdout().lock()), reader_gone: false }
    }

    /// Whether the reader has closed its end.
    #[must_use]
    pub const fn reader_gone(&self) -> bool {
        self.reader_gone
    }

    /// Writes what is left, and tells whether everything was written or is wanted no more.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn finish(mut self) -> Result<(), Failure> {
        match self.flush() {
            Err(error) if !self.reader_gone => Err(Failure::io("cannot write to standard output", &error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn note<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &written {
            self.reader_gone |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        written
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write_all(&escape_lines(bytes)).map(|()| bytes.len());
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

/// Prints a whole text, with a newline.
///
/// # Errors
/// Standard output cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut output = Output::stdout();
    match writeln!(output, "{text}") {
        Err(error) if !output.reader_gone => Err(Failure::io("cannot write to standard output", &error)),
        Ok(()) | Err(_) => output.finish(),
    }
}
