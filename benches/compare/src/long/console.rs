//! The console and its daemon in a crowd.

use super::paced;
use super::turns::{Turns, table_head};
use crate::Shared;
use crate::daemon::{Bench, Daemon, Settings, Store};
use crate::process::Server;
use crate::wait::pause;
use anyhow::{Context, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use rustix::process::{Resource, Signal, getrlimit, setrlimit};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Compares /metrics and the daemon's p99 with a crowd of slow connections at the console and without, by turns
#[derive(Debug, clap::Args)]
pub struct ConsoleArgs {
    /// Slow connections; each comes back when it is closed
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Commands a second
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The console's release binary [default: orderd-console beside the daemon's]
    #[arg(long)]
    console: Option<PathBuf>,
}

const READY_MAX: Duration = Duration::from_secs(30);
/// Of a closed connection the crowd hears at the latest after this time.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const SCRAPE_EVERY: Duration = Duration::from_millis(20);
const SCRAPE_MAX: Duration = Duration::from_secs(10);
/// Descriptors beside those of the crowd.
const OTHER_FILES: u64 = 200;

/// Measures it, and prints a table.
pub fn console(args: &ConsoleArgs, shared: &Shared) -> Result<()> {
    allow_files(u64::try_from(args.connections)?.saturating_add(OTHER_FILES))?;
    let store = Store::new(&shared.orderd, &shared.dir)?;
    let settings = Settings::default().with_sink("events", &store.folder().join("events.ndjson"), true);
    let daemon = store.start(&settings)?;
    let (server, address) = start_console(args, shared, &store, &daemon)?;
    let (mut scrape, mut p50, mut p99) = (Turns::default(), Turns::default(), Turns::default());
    for round in 1..=args.rounds {
        let without = measure(&daemon, address, args, 0)?;
        let with = measure(&daemon, address, args, args.connections)?;
        eprintln!(
            "round {round}: the daemon's p99 {:.0} µs in a crowd, {:.0} µs without; that of /metrics {:.1} ms and {:.1} ms",
            with.bench.latency_us.p99, without.bench.latency_us.p99, with.scrape_ms, without.scrape_ms
        );
        scrape.add(with.scrape_ms, without.scrape_ms);
        p50.add(with.bench.latency_us.p50 / 1e3, without.bench.latency_us.p50 / 1e3);
        p99.add(with.bench.latency_us.p99 / 1e3, without.bench.latency_us.p99 / 1e3);
    }
    server.stop()?;
    daemon.stop()?;
    println!("{} slow connections and a tab that reads nothing; {} commands/s\n", args.connections, args.rate);
    print!(
        "{}{}{}{}",
        table_head("in the crowd"),
        p50.row("the daemon's p50", "ms")?,
        p99.row("the daemon's p99", "ms")?,
        scrape.row("/metrics, p99", "ms")?
    );
    Ok(())
}

struct Found {
    bench: Bench,
    /// 99 of 100 answers of `/metrics` took no longer, in milliseconds.
    scrape_ms: f64,
}

fn measure(daemon: &Daemon, address: SocketAddr, args: &ConsoleArgs, connections: usize) -> Result<Found> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let over = &over;
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let crowd = spawn("crowd").spawn_scoped(scope, move || crowd(address, connections, over))?;
        let scraper = spawn("scrape").spawn_scoped(scope, move || scrapes(address, over))?;
        let bench = paced(daemon, args.rate, args.seconds);
        over.store(true, Ordering::Relaxed);
        let panicked = |_| anyhow!("a thread panicked");
        crowd.join().map_err(panicked)??;
        let scrape_ms = scraper.join().map_err(panicked)??;
        Ok(Found { bench: bench?, scrape_ms })
    })
}

/// Connections of which half say nothing and half begin a request and never end it; each comes back when it is closed.
/// One more asks for a page and never reads it, as a browser's tab that is stuck.
fn crowd(address: SocketAddr, connections: usize, over: &AtomicBool) -> Result<()> {
    let mut streams: Vec<Option<TcpStream>> = (0..connections).map(|_| None).collect();
    let mut stuck = None;
    while !over.load(Ordering::Relaxed) {
        for (number, place) in streams.iter_mut().enumerate() {
            let said: &[u8] = if number % 2 == 0 { b"GET /metrics HTTP/1.1\r\nHost: " } else { b"" };
            come_back(place, address, said)?;
        }
        if connections > 0 {
            let host = format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(50);
            come_back(&mut stuck, address, host.as_bytes())?;
        }
        pause(LOOK_EVERY);
    }
    Ok(())
}

/// Connects where there is no connection, or one that the console has closed.
fn come_back(place: &mut Option<TcpStream>, address: SocketAddr, said: &[u8]) -> Result<()> {
    let is_open = place.as_ref().is_some_and(|stream| match stream.peek(&mut [0]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    });
    if is_open {
        return Ok(());
    }
    let mut stream = TcpStream::connect(address).context("the crowd cannot connect")?;
    // It may be closed already: then it comes back the next time.
    if stream.write_all(said).is_ok() {
        stream.set_nonblocking(true)?;
        *place = Some(stream);
    }
    Ok(())
}

/// Asks for `/metrics` until it is over; the p99 of its answers in milliseconds.
fn scrapes(address: SocketAddr, over: &AtomicBool) -> Result<f64> {
    let mut times = Histogram::<u64>::new(3)?;
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let text = get(address, "/metrics")?;
        ensure!(text.contains("orderd_console_daemon_up 1"), "/metrics answered {text}");
        times.record(u64::try_from(begin.elapsed().as_micros())?)?;
        pause(SCRAPE_EVERY);
    }
    Ok(crate::figures::as_f64(times.value_at_quantile(0.99)) / 1e3)
}

fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SCRAPE_MAX))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn start_console(args: &ConsoleArgs, shared: &Shared, store: &Store, daemon: &Daemon) -> Result<(Server, SocketAddr)> {
    let binary = match &args.console {
        Some(binary) => binary.clone(),
        None => shared.orderd.with_file_name("orderd-console"),
    };
    ensure!(
        binary.is_file(),
        "{} is not there: cargo build --release --workspace first, or --console",
        binary.display()
    );
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = Command::new(&binary);
    command.arg("--listen").arg(address.to_string()).arg("--socket").arg(daemon.socket());
    let mut server = Server::start("orderd-console", store.folder(), Signal::TERM, &mut command)?;
    server.wait_ready(READY_MAX, || get(address, "/readyz").is_ok_and(|text| text.starts_with("HTTP/1.1 200")))?;
    Ok((server, address))
}

/// Raises the limit of descriptors of this process, if it is too low.
fn allow_files(count: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        limit.current = Some(count);
        setrlimit(Resource::Nofile, limit).with_context(|| format!("cannot have {count} open files: ulimit -n"))?;
    }
    Ok(())
}
