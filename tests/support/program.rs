//! A program that attaches to a subscription, and does what the test says.

use serde_json::{Value, json};

use super::client::{Client, request};
use super::store::Store;
use super::{DEADLINE, poll};

/// An attached program.
pub struct Program {
    client: Client,
    /// What `sink.attach` was answered.
    pub attached: Value,
}

/// An event as it was handed out.
#[derive(Debug, Clone)]
pub struct HandedOut {
    pub tag: u64,
    pub attempt: u64,
    pub sequence: u64,
    pub order_id: String,
    pub replay: Option<String>,
    pub event: Value,
}

impl Program {
    /// Attaches, as soon as nobody else is.
    #[track_caller]
    pub fn attach(store: &Store, sink: &str) -> Program {
        let attached = poll(DEADLINE, || Program::try_attach(store, json!({"sink": sink})).ok());
        attached.expect("nobody else is attached")
    }

    /// Attaches with these params beside `protocol` and `program`.
    pub fn try_attach(store: &Store, mut params: Value) -> Result<Program, Value> {
        params["protocol"] = json!(1);
        params["program"] = json!("a test");
        let mut client = Client::connect(store);
        client.send_line(&request(&json!("attach"), "sink.attach", &params));
        let mut answer = client.read_answer();
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(Program { client, attached: answer["result"].take() }),
        }
    }

    /// As `try_attach`, once; `None` if the daemon is gone.
    pub fn attach_if_there(store: &Store, params: &Value) -> Option<Result<Program, Value>> {
        let mut params = params.clone();
        params["protocol"] = json!(1);
        params["program"] = json!("a test");
        let mut client = Client::try_connect(&store.socket()).ok()?;
        client.try_send_raw(format!("{}\n", request(&json!("attach"), "sink.attach", &params))).ok()?;
        let mut answer: Value = serde_json::from_str(&client.try_read_line().ok()??).expect("JSON");
        Some(match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(Program { client, attached: answer["result"].take() }),
        })
    }

    /// The next line; `None` when the connection is closed.
    pub fn line(&mut self) -> Option<Value> {
        let line = self.client.try_read_line().ok()??;
        Some(serde_json::from_str(&line).expect("a line of JSON"))
    }

    /// The next event; `None` when the connection is closed, with whatever was said of it.
    pub fn try_event(&mut self) -> Option<HandedOut> {
        let line = self.line()?;
        if line["method"] != "event" {
            return None;
        }
        let params = &line["params"];
        let event = params["event"].clone();
        Some(HandedOut {
            tag: params["tag"].as_u64().expect("a tag"),
            attempt: params["attempt"].as_u64().expect("an attempt"),
            sequence: event["sequence"].as_str().and_then(|text| text.parse().ok()).expect("a sequence"),
            order_id: event["subject"].as_str().expect("a subject").to_owned(),
            replay: params["replay"].as_str().map(str::to_owned),
            event,
        })
    }

    /// The next event.
    #[track_caller]
    pub fn event(&mut self) -> HandedOut {
        self.try_event().expect("an event, and not the end")
    }

    /// Why the connection was closed, after whatever was said before.
    #[track_caller]
    pub fn closing(&mut self) -> String {
        loop {
            let line = self.line().expect("a closing line");
            if line["method"] == "closing" {
                return line["params"]["kind"].as_str().expect("a kind").to_owned();
            }
        }
    }

    /// Says something.
    pub fn say(&mut self, method: &str, params: Value) {
        let line = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.client.send_line(&line.to_string());
    }

    /// As `say`, to a connection that may be closed.
    pub fn try_say(&mut self, method: &str, params: Value) {
        let line = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.client.try_send_raw(format!("{line}\n")).ok();
    }

    pub fn delivered(&mut self, tags: &[u64]) {
        self.say("delivered", json!({"tags": tags}));
    }

    pub fn rejected(&mut self, tag: u64) {
        self.say("rejected", json!({"tag": tag, "reason": "not this one"}));
    }

    pub fn failed(&mut self, tag: u64) {
        self.say("failed", json!({"tag": tag, "reason": "not now"}));
    }
}
