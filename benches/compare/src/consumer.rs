//! A program attached to a `subscription` sink that does nothing with its events but answer them.

use anyhow::{Context, Result, ensure};
use memchr::memmem;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Attached.
pub struct Consumer {
    reader: BufReader<UnixStream>,
    line: Vec<u8>,
    /// Answered at once when there is nothing more to read.
    tags: Vec<u64>,
}

const READ_BYTES: usize = 1 << 20;
/// The most that one `delivered` may name.
const TAGS_MAX: usize = 1_000;

impl Consumer {
    /// Attaches to a sink, with as much in flight as it allows.
    pub fn attach(socket: &Path, sink: &str, in_flight_max: u32) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut consumer =
            Self { reader: BufReader::with_capacity(READ_BYTES, stream), line: Vec::new(), tags: Vec::new() };
        consumer.send(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sink.attach\",\"params\":{{\"sink\":{sink:?},\"protocol\":1,\"program\":\"orderd-compare\",\"in_flight_max\":{in_flight_max}}}}}\n"
        ))?;
        let answer = consumer.next_line()?;
        ensure!(memmem::find(answer, b"\"result\"").is_some(), "not attached: {}", String::from_utf8_lossy(answer));
        Ok(consumer)
    }

    /// Reads this many events. `rejects` says which of them are rejected; all others are delivered.
    pub fn answer(&mut self, events: u64, mut rejects: impl FnMut(&[u8]) -> bool) -> Result<()> {
        for _ in 0..events {
            let line = self.next_line()?;
            let tag = tag_of(line)?;
            if rejects(line) {
                self.flush()?;
                self.send(&format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"rejected\",\"params\":{{\"tag\":{tag},\"reason\":\"measured\"}}}}\n"
                ))?;
            } else {
                self.tags.push(tag);
            }
            if self.tags.len() >= TAGS_MAX || memchr::memchr(b'\n', self.reader.buffer()).is_none() {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn next_line(&mut self) -> Result<&[u8]> {
        self.line.clear();
        let bytes = self.reader.read_until(b'\n', &mut self.line).context("no event comes")?;
        ensure!(bytes > 0, "the daemon closed the connection");
        Ok(&self.line)
    }

    fn flush(&mut self) -> Result<()> {
        if self.tags.is_empty() {
            return Ok(());
        }
        let mut text = String::from("{\"jsonrpc\":\"2.0\",\"method\":\"delivered\",\"params\":{\"tags\":[");
        for (number, tag) in self.tags.drain(..).enumerate() {
            write!(text, "{}{tag}", if number == 0 { "" } else { "," })?;
        }
        text.push_str("]}}\n");
        self.send(&text)
    }

    fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.reader.get_mut().write_all(text.as_bytes())?)
    }
}

fn tag_of(line: &[u8]) -> Result<u64> {
    const NAME: &[u8] = b"\"tag\":";
    let start = memmem::find(line, NAME).with_context(|| format!("no event: {}", String::from_utf8_lossy(line)))?;
    let digits = line.get(start + NAME.len()..).unwrap_or_default();
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    Ok(std::str::from_utf8(digits.get(..end).unwrap_or_default())?.parse()?)
}
