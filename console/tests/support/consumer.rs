//! A program that is attached to a sink, and rejects the events of one order until it is told to stop that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

/// The attached program. It detaches when it is dropped.
pub struct Consumer {
    stream: UnixStream,
    rejects: Arc<AtomicBool>,
}

impl Consumer {
    pub fn attach(socket: &Path, sink: &str, rejected_order: &str, reason: &str) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let params = json!({"sink": sink, "protocol": 1, "program": "a test"});
        send(&mut stream, &json!({"jsonrpc": "2.0", "id": 1, "method": "sink.attach", "params": params}));
        let attached: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        assert!(attached["error"].is_null(), "{attached}");
        let rejects = Arc::new(AtomicBool::new(true));
        let (order, reason, rejecting) = (rejected_order.to_owned(), reason.to_owned(), Arc::clone(&rejects));
        let mut answers = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            for line in lines {
                let params = serde_json::from_str::<Value>(&line).unwrap()["params"].clone();
                let (method, params) = if params["event"]["subject"] == order && rejecting.load(Ordering::Relaxed) {
                    ("rejected", json!({"tag": params["tag"], "reason": reason}))
                } else {
                    ("delivered", json!({"tags": [params["tag"]]}))
                };
                send(&mut answers, &json!({"jsonrpc": "2.0", "method": method, "params": params}));
            }
        });
        Self { stream, rejects }
    }

    /// From now on everything is delivered.
    pub fn accept_all(&self) {
        self.rejects.store(false, Ordering::Relaxed);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Both).ok();
    }
}

/// A daemon that has closed the connection takes nothing more.
fn send(stream: &mut UnixStream, message: &Value) {
    stream.write_all(format!("{message}\n").as_bytes()).ok();
}
