//! A program that attaches to a sink and says of each event what a test wants.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Client, Store};

/// How long nothing must come before a consumer believes that nothing will.
const QUIET: Duration = Duration::from_millis(500);

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Failed(&'static str),
    Rejected(&'static str),
}

/// An attached connection; it detaches when dropped.
pub struct Consumer {
    client: Client,
    /// What `sink.attach` answered.
    pub attached: Value,
}

impl Consumer {
    #[track_caller]
    pub fn attach(store: &Store, sink: &str) -> Consumer {
        Consumer::try_attach(store, sink).expect("it is attached")
    }

    /// The error of a daemon that refuses.
    #[track_caller]
    pub fn try_attach(store: &Store, sink: &str) -> Result<Consumer, Value> {
        let mut client = Client::try_connect_within(&store.socket(), QUIET).expect("the daemon's socket answers");
        let attached = client.call("sink.attach", json!({"sink": sink, "protocol": 1, "program": "a test"}))?;
        Ok(Consumer { client, attached })
    }

    /// The params of the next `event`; None when nothing came for a while.
    #[track_caller]
    pub fn next_event(&mut self) -> Option<Value> {
        let line = self.client.try_read_line().ok()?.expect("the connection stays open");
        let message: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(message["method"], "event", "{line}");
        Some(message["params"].clone())
    }

    pub fn answer(&mut self, event: &Value, outcome: Outcome) {
        let tag = &event["tag"];
        let (method, params) = match outcome {
            Outcome::Delivered => ("delivered", json!({"tags": [tag]})),
            Outcome::Failed(reason) => ("failed", json!({"tag": tag, "reason": reason})),
            Outcome::Rejected(reason) => ("rejected", json!({"tag": tag, "reason": reason})),
        };
        self.client.send_line(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Answers what comes until nothing comes any more; the events that were answered so.
    #[track_caller]
    pub fn work(&mut self, mut decide: impl FnMut(&Value) -> Outcome) -> Vec<Value> {
        let mut seen = Vec::new();
        while let Some(event) = self.next_event() {
            let outcome = decide(&event);
            self.answer(&event, outcome);
            seen.push(event);
        }
        seen
    }
}
