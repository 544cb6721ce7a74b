//! A program by hand, at the other end of an attached connection.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// The other end of the connection.
pub(super) struct Program {
    pub(super) lines: BufReader<UnixStream>,
    pub(super) answer: Value,
}

impl Program {
    /// The next line; `None` at the end of the stream.
    pub(super) fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
            Err(error) => panic!("no line came: {error}"),
        }
    }

    /// The next event: tag, attempt and sequence.
    pub(super) fn event(&mut self) -> (u64, u64, u64) {
        let line = self.line().expect("an event");
        assert_eq!(line["method"], "event", "{line}");
        let params = &line["params"];
        let sequence = params["event"]["sequence"].as_str().unwrap().parse().unwrap();
        (params["tag"].as_u64().unwrap(), params["attempt"].as_u64().unwrap(), sequence)
    }

    /// Whether nothing comes for a while.
    pub(super) fn is_silent(&mut self) -> bool {
        self.lines.get_ref().set_read_timeout(Some(Duration::from_millis(60))).unwrap();
        let silent = self.lines.buffer().is_empty() && self.lines.fill_buf().is_err();
        self.lines.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        silent
    }

    pub(super) fn say(&mut self, method: &str, params: Value) {
        let line = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).unwrap();
    }

    pub(super) fn shut(&mut self) {
        self.lines.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }

    pub(super) fn delivered(&mut self, tag: u64) {
        self.say("delivered", json!({"tags": [tag]}));
    }

    /// The kind of the closing line, after whatever comes before it.
    pub(super) fn closing(&mut self) -> String {
        loop {
            let line = self.line().expect("a closing line");
            if line["method"] == "closing" {
                return line["params"]["kind"].as_str().unwrap().to_owned();
            }
        }
    }
}
