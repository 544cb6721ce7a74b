//! A daemon that answers as the protocol says, from a world that a test arranges, and refuses what the protocol does
//! not allow.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::World;

/// Each method with its params; those that end in `?` may be left out.
const METHODS: [(&str, &[&str]); 17] = [
    ("daemon.status", &[]),
    ("daemon.metrics", &[]),
    ("order.get", &["order_id"]),
    ("order.trace", &["order_id"]),
    ("sink.list", &[]),
    ("sink.show", &["sink"]),
    ("sink.pause", &["sink", "reason?"]),
    ("sink.resume", &["sink", "reason?"]),
    ("sink.retry", &["sink", "reason?"]),
    ("lane.list", &["sink", "state?", "reason_contains?", "after?", "limit?"]),
    ("lane.show", &["sink", "order_id"]),
    ("lane.requeue", &["sink", "order_id?", "all?", "state?", "reason_contains?", "dry_run?", "limit?", "reason?"]),
    ("lane.skip", &["sink", "order_id", "sequence", "reason"]),
    ("replay.list", &[]),
    ("replay.start", &["sink", "from", "to", "types?", "order_id?", "rate_events_per_s_max?", "dry_run?", "reason?"]),
    ("replay.cancel", &["replay_id", "reason?"]),
    ("decision.list", &["after_lsn?", "limit?"]),
];

/// The fake. Its socket is gone when it is dropped.
pub struct FakeDaemon {
    dir: TempDir,
    state: Arc<Mutex<State>>,
}

/// What a test may change while it runs.
#[derive(Default)]
pub struct State {
    pub world: World,
    /// Methods of a newer daemon.
    pub missing: Vec<&'static str>,
    /// Methods that this user may not call.
    pub denied: Vec<&'static str>,
    /// It takes requests and does not answer.
    pub silent: bool,
    /// What it answers instead, as a whole line.
    pub garbage: Option<String>,
    /// All calls but those of the sampler.
    pub calls: Vec<(String, Value)>,
    /// Calls of the sampler.
    pub samples: u64,
    /// Open connections, so that they can be cut.
    open: Vec<UnixStream>,
}

impl FakeDaemon {
    pub fn start(world: World) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = Arc::new(Mutex::new(State { world, ..State::default() }));
        let fake = Self { dir, state };
        fake.listen();
        fake
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("orderd.sock")
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Closes the socket and every connection.
    pub fn stop(&self) {
        std::fs::remove_file(self.socket()).unwrap();
        self.cut();
    }

    /// Closes every connection.
    pub fn cut(&self) {
        for stream in self.state().open.drain(..) {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
    }

    /// Listens again after [`Self::stop`].
    pub fn listen(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let state = Arc::clone(&self.state);
        let socket = self.socket();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // The socket of an earlier life is not answered at.
                if !Path::new(&socket).exists() {
                    break;
                }
                let state = Arc::clone(&state);
                state.lock().unwrap().open.push(stream.try_clone().unwrap());
                std::thread::spawn(move || serve(stream, &state));
            }
        });
    }
}

fn serve(mut stream: UnixStream, state: &Mutex<State>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        let answer = {
            let mut state = state.lock().unwrap();
            let answer = answer(&mut state, &line);
            if state.silent {
                continue;
            }
            state.garbage.clone().unwrap_or_else(|| answer.to_string())
        };
        if stream.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn answer(state: &mut State, line: &str) -> Value {
    let Ok(request) = serde_json::from_str::<Value>(line) else {
        return error(&Value::Null, -32_700, "parse_error", "not JSON");
    };
    let id = &request["id"];
    let known = |name: &String| ["jsonrpc", "id", "method", "params"].contains(&name.as_str());
    if request["jsonrpc"] != "2.0" || id.is_null() || !request.as_object().unwrap().keys().all(known) {
        return error(id, -32_600, "invalid_request", "not a request of JSON-RPC 2.0");
    }
    let method = request["method"].as_str().unwrap_or_default().to_owned();
    let params = request.get("params").cloned().unwrap_or(json!({}));
    match method.as_str() {
        "daemon.status" | "daemon.metrics" => state.samples += 1,
        _ => state.calls.push((method.clone(), params.clone())),
    }
    let allowed = METHODS.iter().find(|(name, _)| *name == method);
    let Some((_, allowed)) = allowed.filter(|_| !state.missing.contains(&method.as_str())) else {
        return error(id, -32_601, "method_not_found", &format!("there is no method {method}"));
    };
    if state.denied.contains(&method.as_str()) {
        return error(id, 1_104, "permission_denied", "this user may not do that");
    }
    let given = params.as_object().unwrap();
    let is_known = |name: &String| allowed.iter().any(|param| param.trim_end_matches('?') == name);
    let missing = allowed.iter().find(|param| !param.ends_with('?') && !given.contains_key(**param));
    if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
        return error(id, -32_602, "invalid_params", &format!("{method} takes no {unknown}"));
    }
    if let Some(missing) = missing {
        return error(id, -32_602, "invalid_params", &format!("{method} needs {missing}"));
    }
    match state.world.answer(&method, &params) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err((code, kind, message)) => error(id, code, kind, &message),
    }
}

fn error(id: &Value, code: i64, kind: &str, message: &str) -> Value {
    let retryable = [1_101, 1_102, 1_103, 1_106, 1_107].contains(&code);
    let data = json!({"kind": kind, "retryable": retryable});
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
}
