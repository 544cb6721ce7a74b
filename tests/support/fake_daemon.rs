//! A stand-in for the daemon: answers requests as a test says, and keeps them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Cli, Run};

type Answer = dyn Fn(&str, &Value) -> Result<Value, Value> + Send + Sync;

/// Answers each request of each connection until the test ends.
pub struct FakeDaemon {
    folder: tempfile::TempDir,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl FakeDaemon {
    /// Answers what `answer` makes of a method and its params: a result, or an error object.
    pub fn start(answer: impl Fn(&str, &Value) -> Result<Value, Value> + Send + Sync + 'static) -> FakeDaemon {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer): (_, Arc<Answer>) = (Arc::clone(&requests), Arc::new(answer));
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                let session = move || serve(&stream, &kept, &*answer);
                std::thread::Builder::new().name("fake session".into()).spawn(session).expect("a thread");
            }
        };
        std::thread::Builder::new().name("fake daemon".into()).spawn(accept).expect("a thread");
        FakeDaemon { folder, requests }
    }

    /// Answers every request with this result.
    pub fn answering(result: Value) -> FakeDaemon {
        Self::start(move |_, _| Ok(result.clone()))
    }

    /// Refuses every request with this error object.
    pub fn refusing(error: Value) -> FakeDaemon {
        Self::start(move |_, _| Err(error.clone()))
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    /// Runs `orderd ARGS` against it.
    #[track_caller]
    pub fn orderd(&self, args: &[&str]) -> Run {
        Cli::new(args).env("ORDERD_SOCKET", self.socket()).dir(self.folder.path()).run()
    }

    /// The requests since the last call: methods and params.
    pub fn take_requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn serve(stream: &UnixStream, kept: &Mutex<Vec<(String, Value)>>, answer: &Answer) {
    let mut out = stream;
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let mut request: Value = serde_json::from_str(&line).expect("a request");
        let (method, params) = (request["method"].as_str().expect("a method").to_owned(), request["params"].take());
        let mut response = json!({"jsonrpc": "2.0", "id": request["id"]});
        match answer(&method, &params) {
            Ok(result) => response["result"] = result,
            Err(error) => response["error"] = error,
        }
        kept.lock().unwrap().push((method, params));
        if writeln!(out, "{response}").is_err() {
            break;
        }
    }
}

/// An error object.
pub fn refusal(code: i64, kind: &str, retryable: bool, message: &str) -> Value {
    json!({"code": code, "message": message, "data": {"kind": kind, "retryable": retryable}})
}
