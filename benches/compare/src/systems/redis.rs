//! Redis: a hash for the order and a stream for its events, changed by one script, with `appendfsync always`.

use super::{Bench, Cell, Filled, Measured, System, scratch, socket_in};
use crate::process::Server;
use anyhow::{Context, Result, ensure};
use orderd_load::{Dialect, End, Load, MadeUpOrder, Mix, OrderNames, Report, Verb, Verdict, drive};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

pub struct Redis;

const READY_MAX: Duration = Duration::from_secs(600);

const PLACE: &str = "\
if redis.call('EXISTS', KEYS[1]) == 1 then return redis.error_reply('ORDER_EXISTS') end
local now = redis.call('TIME')
local at = now[1] .. '.' .. now[2]
redis.call('HSET', KEYS[1], 'customer_id', ARGV[1], 'total_amount', ARGV[2], 'status', 'placed', 'version', 1, 'placed_at', at)
redis.call('XADD', 'outbox', '*', 'type', 'OrderPlaced', 'order_id', KEYS[1], 'version', 1, 'customer_id', ARGV[1], 'total_amount', ARGV[2], 'placed_at', at)
return 1";
const COMPLETE: &str = "\
local order = redis.call('HMGET', KEYS[1], 'status', 'customer_id', 'total_amount')
if not order[1] then return redis.error_reply('ORDER_NOT_FOUND') end
if order[1] ~= 'placed' then return redis.error_reply('INVALID_TRANSITION') end
local now = redis.call('TIME')
local at = now[1] .. '.' .. now[2]
redis.call('HSET', KEYS[1], 'status', 'completed', 'version', 2, 'completed_at', at)
redis.call('XADD', 'outbox', '*', 'type', 'OrderCompleted', 'order_id', KEYS[1], 'version', 2, 'customer_id', order[2], 'total_amount', order[3], 'completed_at', at)
return 1";

impl Redis {
    fn start(folder: &Path) -> Result<(Server, Resp)> {
        let socket = socket_in(folder);
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        // No rewrite of the log in a short run: it would only cost Redis time.
        command.args(["--auto-aof-rewrite-percentage", "0", "--daemonize", "no"]);
        command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder);
        let mut server = Server::start("redis-server", folder, Signal::TERM, &mut command)?;
        server.wait_ready(READY_MAX, || ask(&socket, &["PING"]).is_ok_and(|mut lines| lines.next_is("+PONG")))?;
        let resp = Resp { place: load_script(&socket, PLACE)?, complete: load_script(&socket, COMPLETE)? };
        Ok((server, resp))
    }

    fn load(cell: Cell, warmup: Duration, end: End) -> Load {
        Load {
            connections: usize::from(cell.connections),
            in_flight: usize::try_from(cell.in_flight).unwrap_or(usize::MAX),
            mix: Mix::PlaceComplete,
            rate: None,
            warmup,
            end,
            names: OrderNames::fresh(),
        }
    }

    fn drive(load: &Load, folder: &Path, resp: &mut Resp) -> Result<Report> {
        let report = drive(load, &socket_in(folder), resp, &mut |_| {})?;
        ensure!(report.refused.is_empty(), "Redis refused commands: {:?}", report.refused);
        Ok(report)
    }
}

impl System for Redis {
    fn name(&self) -> &'static str {
        "Redis"
    }

    fn cells(&self, cells: &[Cell]) -> Vec<Cell> {
        cells.to_vec()
    }

    fn measure(&self, bench: &Bench, cell: Cell) -> Result<Measured> {
        let folder = scratch(bench, "redis-")?;
        let (server, mut resp) = Self::start(folder.path())?;
        let report = Self::drive(&Self::load(cell, bench.warmup, End::After(bench.time)), folder.path(), &mut resp)?;
        server.kill()?;
        Ok(Measured {
            commands_per_second: report.commands_per_second,
            p50_us: report.latency_us.p50,
            p99_us: report.latency_us.p99,
        })
    }

    fn fill(&self, bench: &Bench, cell: Cell, commands: u64) -> Result<Filled> {
        let folder = scratch(bench, "redis-")?;
        let (server, mut resp) = Self::start(folder.path())?;
        let (written, resident) = (bench.disk.written_bytes()?, server.resident_bytes()?);
        Self::drive(&Self::load(cell, Duration::ZERO, End::Commands(commands)), folder.path(), &mut resp)?;
        let resident_bytes = server.resident_bytes()?.saturating_sub(resident);
        server.kill()?;
        let start = Instant::now();
        let (server, _) = Self::start(folder.path())?;
        let ready_after = start.elapsed();
        server.stop()?;
        Ok(Filled {
            written_bytes: bench.disk.written_bytes()?.saturating_sub(written),
            resident_bytes: Some(resident_bytes),
            ready_after: Some(ready_after),
        })
    }
}

/// Calls of the two scripts, each answered by one line.
struct Resp {
    place: String,
    complete: String,
}

impl Dialect for Resp {
    fn render(&mut self, verb: Verb, _id: u64, order: &MadeUpOrder, out: &mut Vec<u8>) {
        let (parts, script) = match verb {
            Verb::Place => (b"*6\r\n".as_slice(), &self.place),
            Verb::Complete | Verb::Cancel | Verb::Get => (b"*4\r\n".as_slice(), &self.complete),
        };
        out.extend_from_slice(parts);
        push_bulk(b"EVALSHA", out);
        push_bulk(script.as_bytes(), out);
        push_bulk(b"1", out);
        push_bulk(order.order_id(), out);
        if verb == Verb::Place {
            push_bulk(order.customer_id(), out);
            out.extend_from_slice(b"$5\r\n");
            orderd_load::push_number(order.total_amount(), out);
            out.extend_from_slice(b"\r\n");
        }
    }

    fn judge(&mut self, line: &[u8], _id: u64) -> Verdict {
        let text = String::from_utf8_lossy(line);
        match line.first() {
            Some(b':') => Verdict::Done,
            Some(b'-') => Verdict::Refused(text.trim().to_owned()),
            _ => Verdict::Wrong(text.into_owned()),
        }
    }
}

fn push_bulk(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'$');
    orderd_load::push_number(u64::try_from(text.len()).unwrap_or(u64::MAX), out);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Returns the script's hash.
fn load_script(socket: &Path, script: &str) -> Result<String> {
    let mut lines = ask(socket, &["SCRIPT", "LOAD", script])?;
    ensure!(lines.next_is("$40"), "Redis did not take the script");
    lines.next_line().context("Redis closed the connection")
}

/// Sends one request on a connection of its own.
fn ask(socket: &Path, parts: &[&str]) -> Result<Lines> {
    let mut stream = UnixStream::connect(socket)?;
    let mut request = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        push_bulk(part.as_bytes(), &mut request);
    }
    stream.write_all(&request)?;
    Ok(Lines(BufReader::new(stream).lines()))
}

/// An answer of Redis, line by line.
struct Lines(std::io::Lines<BufReader<UnixStream>>);

impl Lines {
    fn next_line(&mut self) -> Option<String> {
        self.0.next()?.ok()
    }

    fn next_is(&mut self, expected: &str) -> bool {
        self.next_line().is_some_and(|line| line == expected)
    }
}
