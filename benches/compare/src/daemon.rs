//! orderd under measurement: the release binary, its configuration file and its socket, and nothing else of it.

use crate::process::Server;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What a run configures; all else is the daemon's default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub checkpoints: Checkpoints,
    pub retain_bytes: Option<u64>,
    pub sinks: Vec<FileSink>,
    /// The name of a `subscription` sink that begins at the journal's beginning, or else with what comes now.
    pub subscription: Option<(String, bool)>,
}

/// When checkpoints are written.
#[derive(Debug, Clone, Copy, Default)]
pub enum Checkpoints {
    #[default]
    AsUsual,
    Never,
    /// So long after the one before.
    Every(Duration),
}

#[derive(Debug, Clone)]
pub struct FileSink {
    pub name: String,
    pub path: PathBuf,
    /// From the journal's first event; otherwise from what comes now.
    pub from_beginning: bool,
}

const READY_MAX: Duration = Duration::from_secs(600);

impl Settings {
    /// With one sink that writes every event to `path`.
    pub fn with_sink(mut self, name: &str, path: &Path, from_beginning: bool) -> Self {
        self.sinks.push(FileSink { name: name.to_owned(), path: path.to_owned(), from_beginning });
        self
    }

    fn toml(&self, folder: &Path) -> Result<String> {
        let mut text = String::from("[log]\nlevel = \"warn\"\n[daemon]\n");
        writeln!(text, "data_dir = {:?}\nsocket = {:?}", folder.join("data"), folder.join("s"))?;
        match self.checkpoints {
            Checkpoints::AsUsual => writeln!(text, "[journal]")?,
            // The most that the keys take: further off than any run here gets.
            Checkpoints::Never => {
                let (bytes, age_ms) = (1_u64 << 40, 30_u64 * 24 * 3_600_000);
                writeln!(text, "[checkpoint]\njournal_bytes = {bytes}\nplans = 1_000_000_000\nage_ms = {age_ms}")?;
                writeln!(text, "[journal]\nbytes_max = {}", 2 * bytes)?;
            }
            Checkpoints::Every(time) => writeln!(text, "[checkpoint]\nage_ms = {}\n[journal]", time.as_millis())?,
        }
        if let Some(bytes) = self.retain_bytes {
            writeln!(text, "retain_bytes = {bytes}")?;
        }
        if let Some((name, from_beginning)) = &self.subscription {
            let start = if *from_beginning { "beginning" } else { "now" };
            writeln!(
                text,
                "[[sinks]]\nname = {name:?}\ntype = \"subscription\"\nstart = {start:?}\nin_flight_max = 4096"
            )?;
        }
        for sink in &self.sinks {
            let start = if sink.from_beginning { "beginning" } else { "now" };
            writeln!(
                text,
                "[[sinks]]\nname = {:?}\ntype = \"file\"\npath = {:?}\nstart = {start:?}",
                sink.name, sink.path
            )?;
        }
        Ok(text)
    }
}

/// A store and the binary that runs over it, again and again.
pub struct Store {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Store {
    /// An empty one. Its folder goes with it.
    pub fn new(binary: &Path, parent: &Path) -> Result<Self> {
        ensure!(binary.is_file(), "{} is not there: cargo build --release first, or --orderd PATH", binary.display());
        let folder = tempfile::Builder::new().prefix("orderd-").tempdir_in(parent)?;
        Ok(Self { binary: binary.to_owned(), folder })
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the daemon and waits until it is ready.
    pub fn start(&self, settings: &Settings) -> Result<Daemon> {
        let config = self.folder().join("config.toml");
        fs::write(&config, settings.toml(self.folder())?)?;
        let socket = self.folder().join("s");
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(&config);
        let start = Instant::now();
        let mut server = Server::start("orderd", self.folder(), Signal::TERM, &mut command)?;
        server.wait_ready(READY_MAX, || {
            status_of(&socket).is_ok_and(|status| status.get("state").and_then(Value::as_str) == Some("ready"))
        })?;
        Ok(Daemon { server, socket, binary: self.binary.clone(), ready_after: start.elapsed() })
    }

    /// Bytes of the journal up to its last byte that is not zero (segments are preallocated).
    pub fn journal_bytes(&self) -> Result<u64> {
        let mut bytes: u64 = 0;
        for entry in fs::read_dir(self.folder().join("data/store/journal"))? {
            let content = fs::read(entry?.path())?;
            let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes += u64::try_from(used)?;
        }
        Ok(bytes)
    }

    /// Whether a checkpoint is being written now: it has its name only when it is whole. One that a stopped daemon left
    /// does not grow.
    pub fn writes_checkpoint(&self) -> Result<bool> {
        for entry in fs::read_dir(self.folder().join("data/store/checkpoints"))? {
            let entry = entry?;
            // It may have got its name since.
            let Ok(metadata) = entry.metadata() else { continue };
            let still = metadata.modified()?.elapsed().unwrap_or_default();
            if entry.file_name().to_string_lossy().ends_with(".tmp") && still < Duration::from_secs(1) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A running daemon.
pub struct Daemon {
    server: Server,
    socket: PathBuf,
    binary: PathBuf,
    /// From starting the process to `ready`.
    pub ready_after: Duration,
}

/// What `orderd bench --json` prints, as far as it is used here.
#[derive(Debug, Clone, Deserialize)]
pub struct Bench {
    pub commands_per_second: f64,
    pub refused: BTreeMap<String, u64>,
    pub unsent: u64,
    pub latency_us: BenchLatency,
    pub client_cpu: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct BenchLatency {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Daemon {
    /// What `daemon.status` answers.
    pub fn status(&self) -> Result<Value> {
        status_of(&self.socket)
    }

    /// A number of it, by JSON pointer.
    pub fn number(&self, pointer: &str) -> Result<u64> {
        let status = self.status()?;
        let number = status.pointer(pointer).and_then(Value::as_u64);
        number.with_context(|| format!("no number {pointer} in {status}"))
    }

    /// Runs `orderd bench` against it with these arguments.
    pub fn bench(&self, args: &[&str]) -> Result<Bench> {
        bench(&self.binary, &self.socket, args)
    }

    /// The same where refusals are expected.
    pub fn flood(&self, args: &[&str]) -> Result<Bench> {
        bench_with_refusals(&self.binary, &self.socket, args)
    }

    /// Sends exactly this many commands as fast as it takes them.
    pub fn fill(&self, mix: &str, commands: u64) -> Result<Bench> {
        let commands = commands.to_string();
        self.bench(&["--connections", "16", "--in-flight", "256", "--mix", mix, "--commands", &commands])
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn resident_bytes(&self) -> Result<u64> {
        self.server.resident_bytes()
    }

    pub fn stop(self) -> Result<()> {
        self.server.stop()
    }

    pub fn kill(self) -> Result<()> {
        self.server.kill()
    }
}

/// Runs `orderd bench`; a refused command is a failure, since no figure here is about refusals.
pub fn bench(binary: &Path, socket: &Path, args: &[&str]) -> Result<Bench> {
    let bench = bench_with_refusals(binary, socket, args)?;
    if !bench.refused.is_empty() {
        bail!("commands were refused: {:?}", bench.refused);
    }
    Ok(bench)
}

fn bench_with_refusals(binary: &Path, socket: &Path, args: &[&str]) -> Result<Bench> {
    let mut command = Command::new(binary);
    // The stores are made for this; some were filled by somebody else before.
    command.args(["bench", "--into-existing-orders", "--socket"]).arg(socket).arg("--json").args(args);
    let printed = crate::process::run("orderd bench", &mut command)?;
    let bench: Bench = serde_json::from_str(&printed).with_context(|| format!("orderd bench printed {printed:?}"))?;
    ensure!(
        bench.unsent == 0,
        "the server does not keep up with the rate: {} commands could not be sent",
        bench.unsent
    );
    Ok(bench)
}

/// One connection that speaks JSON-RPC, a request at a time.
pub struct Client {
    reader: BufReader<UnixStream>,
    line: String,
}

impl Client {
    pub fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { reader: BufReader::new(stream), line: String::new() })
    }

    /// Sends one request, already a line, and returns the answer's text.
    pub fn call(&mut self, request: &[u8]) -> Result<&str> {
        self.reader.get_mut().write_all(request)?;
        self.line.clear();
        let bytes = self.reader.read_line(&mut self.line)?;
        ensure!(bytes > 0, "the daemon closed the connection");
        Ok(&self.line)
    }
}

fn status_of(socket: &Path) -> Result<Value> {
    let mut client = Client::connect(socket)?;
    let answer = client.call(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"daemon.status\"}\n")?;
    let mut answer: Value = serde_json::from_str(answer)?;
    match answer.get_mut("result").map(Value::take) {
        Some(status) => Ok(status),
        None => bail!("no status but {answer}"),
    }
}
