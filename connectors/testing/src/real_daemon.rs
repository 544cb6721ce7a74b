//! The real daemon with one subscription sink, and beside it a file that shows what the sink has to get.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::home::Home;
use crate::wait::eventually;

/// A trace context, as a client that is traced sends it.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A running daemon with the sink [`Home::SINK`]. Dropping it kills it.
pub struct RealDaemon {
    home: Home,
    child: Option<Child>,
}

impl RealDaemon {
    /// Whose orders they are.
    pub const CUSTOMER: &str = "7d444840-9dc0-11d1-b245-5ffdce74fad2";

    /// Starts it; `more` are further keys of the subscription.
    ///
    /// # Panics
    /// It cannot be built or started.
    #[must_use]
    pub fn start(more: &str) -> Self {
        let home = Home::new("orderd-real-");
        let config = format!(
            "[daemon]\ndata_dir = \"data\"\nsocket = \"orderd.sock\"\n\
             [relay]\nbackoff_ms_min = 20\nbackoff_ms_max = 200\n\
             [[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.ndjson\"\n\
             [[sinks]]\nname = \"{}\"\ntype = \"subscription\"\n{more}\n",
            Home::SINK
        );
        std::fs::write(home.dir().join("config.toml"), config).expect("the configuration is written");
        let mut daemon = Self { home, child: None };
        daemon.come_back();
        daemon
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Panics
    /// It does not.
    pub fn come_back(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir().join("daemon.log"));
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(self.dir().join("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .spawn();
        self.child = Some(child.expect("the daemon starts"));
        eventually("the daemon to answer", || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the daemon ended: {ended:?}\n{}", self.log());
            UnixStream::connect(self.socket()).ok()
        });
    }

    /// SIGKILL.
    ///
    /// # Panics
    /// It cannot be waited for.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().expect("the daemon is waited for");
        }
    }

    /// What it wrote to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("daemon.log")).unwrap_or_default()
    }

    /// Places, completes and cancels this many new orders: three events each.
    ///
    /// # Panics
    /// A command is refused.
    pub fn work(&self, orders: u64) {
        let mut stream = UnixStream::connect(self.socket()).expect("the daemon listens");
        let mut answers = BufReader::new(stream.try_clone().expect("a clone")).lines();
        // One order at a time, so that neither direction fills up.
        for _ in 0..orders {
            let id = order_id();
            let place = json!({"order_id": id, "customer_id": Self::CUSTOMER, "total_amount": 1250,
                "metadata": {"channel": "100 % größe 😀", "n": [1, 2.5, null]}});
            let commands = [
                ("order.place", place),
                ("order.complete", json!({"order_id": id, "traceparent": TRACEPARENT, "tracestate": "a=1,b=%20 x\"y"})),
                ("order.cancel", json!({"order_id": id, "reason": "\"nöt\" today"})),
            ];
            let lines: String = commands.iter().map(|(method, params)| request(method, params)).collect();
            stream.write_all(lines.as_bytes()).expect("the daemon reads");
            for _ in commands {
                let answer = answers.next().expect("an answer").expect("the daemon answers");
                assert!(answer.contains("\"result\""), "{answer}");
            }
        }
    }

    /// The result of one request.
    ///
    /// # Panics
    /// It is refused.
    #[must_use]
    pub fn call(&self, method: &str, params: &Value) -> Value {
        let mut stream = UnixStream::connect(self.socket()).expect("the daemon listens");
        stream.write_all(request(method, params).as_bytes()).expect("the daemon reads");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("the daemon answers");
        let answer: Value = serde_json::from_str(&line).expect("the answer is JSON");
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// What `daemon.status` says of the subscription.
    ///
    /// # Panics
    /// It says nothing.
    #[must_use]
    pub fn sink(&self) -> Value {
        let status = self.call("daemon.status", &json!({}));
        let sinks = status["sinks"].as_array().expect("sinks");
        sinks.iter().find(|sink| sink["name"] == Home::SINK).expect("the subscription is listed").clone()
    }

    /// Waits until every event of the file is settled at the subscription, and returns the file's lines, each once.
    pub fn wait_settled(&self) -> Vec<String> {
        eventually("every event to be settled", || {
            let status = self.call("daemon.status", &json!({}));
            let last = status["outbox"]["last_sequence"].as_u64();
            let acked = |sink: &Value| sink["acked_sequence"].as_u64() == last;
            status["sinks"].as_array().is_some_and(|sinks| sinks.iter().all(acked)).then_some(())
        });
        let text = std::fs::read_to_string(self.dir().join("events.ndjson")).unwrap_or_default();
        let mut seen = HashSet::new();
        text.lines().filter(|line| seen.insert(*line)).map(str::to_owned).collect()
    }
}

impl Deref for RealDaemon {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl Drop for RealDaemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the daemon's log\n{}---", self.log());
        }
        self.kill();
    }
}

fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string() + "\n"
}

/// A new UUID.
fn order_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel makes UUIDs");
    text.trim().to_owned()
}

/// The daemon's program, built like the test that asks.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // target/PROFILE/deps/TEST
        let test = std::env::current_exe().expect("the test knows its program");
        let folder = test.parent().and_then(Path::parent).expect("a target folder").to_owned();
        let profile = folder.file_name().filter(|name| *name != "debug").unwrap_or("dev".as_ref());
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "-p", "orderd", "--bin", "orderd"]);
        cargo.arg("--profile").arg(profile).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        assert!(cargo.status().expect("cargo runs").success(), "the daemon cannot be built");
        folder.join("orderd")
    })
}
