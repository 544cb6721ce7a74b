//! A running `orderd-console`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::http::{self, Reply};

/// The program.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderd-console"));
    command.env_remove("ORDERD_SOCKET").env_remove("ORDERD_CONFIG").env_remove("NOTIFY_SOCKET");
    command
}

/// The process; killed when it is dropped.
pub struct Console {
    process: Child,
    pub address: String,
}

impl Console {
    /// Listens on a free port of loopback.
    pub fn start(socket: &Path, flags: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", socket, flags)
    }

    pub fn start_on(listen: &str, socket: &Path, flags: &[&str]) -> Self {
        let mut command = program();
        command.args(["--listen", listen, "--socket"]).arg(socket).args(flags);
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let place = line.split("listening on ").nth(1).and_then(|rest| rest.split(',').next());
                if let Some(place) = place {
                    let address = place.trim_start_matches("http://").trim_end_matches('/').to_owned();
                    said.send(address).ok();
                }
            }
        });
        let address = heard.recv_timeout(Duration::from_secs(30)).expect("the console does not listen");
        Self { process, address }
    }

    pub fn get(&self, path: &str) -> Reply {
        http::get(&self.address, path)
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        http::request(&self.address, method, path, headers, body)
    }

    /// A POST of JSON with a token.
    pub fn act(&self, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.request("POST", path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body)
    }

    /// SIGTERM, then the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(killed.success());
        self.process.wait().unwrap().code()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
