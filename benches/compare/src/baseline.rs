//! The floor: the least that a server with durable commands can do.
//!
//! It reads lines, appends their bytes to a preallocated file, makes one fdatasync a batch and answers each line with a
//! fixed line of real size. It parses nothing, decides nothing and remembers nothing, so nothing that keeps the
//! promise "durable before answered" over this protocol in one thread gets below its cost. One wake-up is one batch.

use anyhow::{Context, Result};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Runs the floor until it is killed
#[derive(Debug, clap::Args)]
pub struct FloorArgs {
    /// The socket to listen on
    #[arg(long)]
    socket: PathBuf,
    /// The file to append to
    #[arg(long)]
    file: PathBuf,
}

/// As long as the daemon's answers; the id is that of no request, and the load generator knows.
const ANSWER: &[u8] = br#"{"jsonrpc":"2.0","id":0,"result":{"order":{"order_id":"0192f0c4-7a3e-7b60-8c1d-2f8f5d1f0a11","customer_id":"7f9c24e8-3b12-4fef-91e0-5a2c1e6b8d90","total_amount":12345,"status":"completed","version":2,"placed_at":"2026-01-01T12:00:00.000000Z","completed_at":"2026-01-01T12:00:00.000000Z","cancelled_at":null},"lsn":1234567,"duplicate":false}}
"#;
const FILE_BYTES: u64 = 1 << 30;
const READ_BYTES: usize = 64 * 1024;
const LISTENER: Token = Token(0);

/// Runs it.
pub fn run(args: &FloorArgs) -> Result<()> {
    let mut floor = Floor::open(&args.socket, &args.file)?;
    let mut events = Events::with_capacity(1024);
    loop {
        // What was not read to its end gives no further event, so it must not wait for one.
        let wait = (!floor.unread.is_empty()).then_some(std::time::Duration::ZERO);
        match floor.poll.poll(&mut events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("cannot poll"),
        }
        for token in std::mem::take(&mut floor.unread) {
            floor.read(token)?;
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                token => {
                    if event.is_readable() {
                        floor.read(token)?;
                    }
                    if event.is_writable() {
                        floor.write(token);
                    }
                }
            }
        }
        floor.make_durable()?;
        floor.answer();
    }
}

struct Floor {
    poll: Poll,
    listener: UnixListener,
    file: File,
    file_offset: u64,
    clients: BTreeMap<Token, Client>,
    token_next: usize,
    batch: Vec<u8>,
    scratch: Vec<u8>,
    unread: Vec<Token>,
}

struct Client {
    stream: UnixStream,
    /// Lines of this batch.
    lines: usize,
    out: Vec<u8>,
    /// The socket took no more, so an event is asked for. Asked for always, it would come with every answer.
    full: bool,
}

impl Floor {
    fn open(socket: &Path, path: &Path) -> Result<Self> {
        let file = File::options().create(true).truncate(true).write(true).open(path)?;
        fs2::FileExt::allocate(&file, FILE_BYTES).context("cannot preallocate the file")?;
        file.sync_all()?;
        let poll = Poll::new()?;
        let mut listener = UnixListener::bind(socket).context("cannot listen")?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            file,
            file_offset: 0,
            clients: BTreeMap::new(),
            token_next: 1,
            batch: Vec::new(),
            scratch: vec![0; READ_BYTES],
            unread: Vec::new(),
        })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot accept"),
            };
            let token = Token(self.token_next);
            self.token_next += 1;
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.clients.insert(token, Client { stream, lines: 0, out: Vec::new(), full: false });
        }
    }

    fn read(&mut self, token: Token) -> Result<()> {
        let Some(client) = self.clients.get_mut(&token) else { return Ok(()) };
        match client.stream.read(&mut self.scratch) {
            Ok(0) => {
                self.clients.remove(&token);
            }
            Ok(bytes) => {
                let read = self.scratch.get(..bytes).context("read more than there was room for")?;
                client.lines += memchr::memchr_iter(b'\n', read).count();
                self.batch.extend_from_slice(read);
                if bytes == self.scratch.len() {
                    self.unread.push(token);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.unread.push(token),
            Err(_) => {
                self.clients.remove(&token);
            }
        }
        Ok(())
    }

    fn make_durable(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let bytes = u64::try_from(self.batch.len())?;
        if self.file_offset.saturating_add(bytes) > FILE_BYTES {
            self.file_offset = 0;
        }
        self.file.write_all_at(&self.batch, self.file_offset).context("cannot append")?;
        self.file.sync_data().context("cannot sync")?;
        self.file_offset = self.file_offset.saturating_add(bytes);
        self.batch.clear();
        Ok(())
    }

    fn answer(&mut self) {
        let mut gone = Vec::new();
        for (token, client) in &mut self.clients {
            for _ in 0..std::mem::take(&mut client.lines) {
                client.out.extend_from_slice(ANSWER);
            }
            if client.flush(*token, self.poll.registry()).is_err() {
                gone.push(*token);
            }
        }
        self.clients.retain(|token, _| !gone.contains(token));
    }

    fn write(&mut self, token: Token) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        if client.flush(token, self.poll.registry()).is_err() {
            self.clients.remove(&token);
        }
    }
}

impl Client {
    /// Writes as much as the socket takes; an event tells when there is room again.
    fn flush(&mut self, token: Token, registry: &Registry) -> std::io::Result<()> {
        let mut written = 0;
        while let Some(rest) = self.out.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.drain(..written);
        if self.full == self.out.is_empty() {
            self.full = !self.full;
            let interest = if self.full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(&mut self.stream, token, interest)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait;
    use orderd_load::{Answers, End, JsonRpc, Load, Mix, OrderNames, drive};
    use std::time::Duration;

    #[test]
    fn the_floor_answers_every_line_and_keeps_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let args = FloorArgs { socket: folder.path().join("s"), file: folder.path().join("lines") };
        let (socket, file) = (args.socket.clone(), args.file.clone());
        // It runs until the process ends.
        std::thread::Builder::new().name("floor".to_owned()).spawn(move || run(&args)).unwrap();
        let second = Duration::from_secs(1);
        wait::until("the floor listens", 10 * second, second / 100, || Ok(socket.exists().then_some(()))).unwrap();
        for (connections, in_flight, count) in [(1, 1, 50), (4, 500, 20_000)] {
            let load = Load {
                connections,
                in_flight,
                mix: Mix::PlaceComplete,
                rate: None,
                warmup: Duration::ZERO,
                end: End::Commands(count),
                names: OrderNames::from_seed(1),
            };
            let report = drive(&load, &socket, &mut JsonRpc::new(None, Answers::AllAlike), &mut |_| {}).unwrap();
            assert_eq!(report.commands, count);
        }
        let lines = memchr::memchr_iter(b'\n', &std::fs::read(&file).unwrap()).count();
        assert_eq!(lines, 20_050);
    }
}
