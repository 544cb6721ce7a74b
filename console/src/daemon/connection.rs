//! One connection to the daemon: a request line, an answer line.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::{CallError, ErrorObject};

/// A connection on which one question at a time is asked.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<UnixStream>,
    answer_bytes_max: usize,
    asked: u64,
}

#[derive(Deserialize)]
struct Answer {
    id: Value,
    // An explicit null is a result, too.
    #[serde(default, deserialize_with = "present")]
    result: Option<Value>,
    error: Option<ErrorObject>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Connection {
    pub(super) async fn open(socket: &Path, answer_bytes_max: usize) -> Result<Self, CallError> {
        let stream = BufReader::new(UnixStream::connect(socket).await?);
        Ok(Self { stream, answer_bytes_max, asked: 0 })
    }

    pub(super) async fn call(&mut self, method: &str, params: &Value) -> Result<Value, CallError> {
        self.asked += 1;
        let mut request = json!({"jsonrpc": "2.0", "id": self.asked, "method": method});
        if let (Some(members), false) = (request.as_object_mut(), params.is_null()) {
            members.insert("params".to_owned(), params.clone());
        }
        let mut line = request.to_string().into_bytes();
        line.push(b'\n');
        // A daemon that refuses a connection says why before it closes it: read that, too.
        let sent = self.stream.get_mut().write_all(&line).await;
        let answer = self.read_answer().await?;
        // The answer to a connection over the limit has no id of ours.
        if answer.id != json!(self.asked) && answer.error.is_none() {
            return Err(CallError::Unreadable("it belongs to another request".into()));
        }
        match (answer.result, answer.error) {
            (Some(result), None) => sent.map(|()| result).map_err(CallError::from),
            (None, Some(error)) => Err(CallError::Refused(error)),
            (Some(_), Some(_)) | (None, None) => {
                Err(CallError::Unreadable("it has to have a result or an error".into()))
            }
        }
    }

    async fn read_answer(&mut self) -> Result<Answer, CallError> {
        let mut line = Vec::new();
        let limit = u64::try_from(self.answer_bytes_max).unwrap_or(u64::MAX);
        (&mut self.stream).take(limit).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(if line.len() + 1 >= self.answer_bytes_max {
                CallError::Unreadable(format!("it has more than {} bytes", self.answer_bytes_max))
            } else {
                CallError::Unreachable("it closed the connection".into())
            });
        }
        serde_json::from_slice(&line).map_err(|error| CallError::Unreadable(error.to_string()))
    }
}
