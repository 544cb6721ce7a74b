//! A client of the socket: lines out, lines in, with a time-out on everything.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{DEADLINE, Store, uuid};

/// One connection.
pub struct Client {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    last_id: u64,
}

impl Client {
    /// Connects to the store's daemon.
    #[track_caller]
    pub fn connect(store: &Store) -> Client {
        Client::try_connect(&store.socket()).expect("the daemon's socket answers")
    }

    pub fn try_connect(socket: &Path) -> io::Result<Client> {
        Client::try_connect_within(socket, DEADLINE)
    }

    /// As `try_connect`, for whoever cannot wait long for an answer.
    pub fn try_connect_within(socket: &Path, deadline: Duration) -> io::Result<Client> {
        let writer = UnixStream::connect(socket)?;
        writer.set_read_timeout(Some(deadline))?;
        writer.set_write_timeout(Some(deadline))?;
        Ok(Client { reader: BufReader::new(writer.try_clone()?), writer, last_id: 0 })
    }

    /// Sends bytes as they are: no line end is added.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        self.writer.write_all(bytes.as_ref()).expect("the bytes are sent");
    }

    /// Sends one line.
    #[track_caller]
    pub fn send_line(&mut self, line: &str) {
        self.send_raw(format!("{line}\n"));
    }

    /// As `send_raw`, for connections that the daemon may have closed.
    pub fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.writer.write_all(bytes.as_ref())
    }

    /// A second handle to send with, for a thread that sends while this one reads.
    pub fn sender(&self) -> UnixStream {
        self.writer.try_clone().expect("a second handle")
    }

    /// Says that nothing more will be sent; answers can still be read.
    pub fn finish(&self) {
        self.writer.shutdown(Shutdown::Write).expect("the sending half closes");
    }

    /// The next line without its end, or None when the daemon closed the connection.
    pub fn try_read_line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.strip_suffix('\n') {
            Some(line) => Ok(Some(line.to_owned())),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("half an answer: {line:?}"))),
        }
    }

    /// The next answer's text.
    #[track_caller]
    pub fn read_line(&mut self) -> String {
        self.try_read_line().expect("an answer in time").expect("an answer, not the end of the connection")
    }

    /// The next answer.
    #[track_caller]
    pub fn read_answer(&mut self) -> Value {
        let line = self.read_line();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_eq!(answer["jsonrpc"], "2.0", "{line}");
        assert!(answer.get("id").is_some(), "an answer has an id: {line}");
        let halves = [answer.get("result"), answer.get("error")];
        assert_eq!(halves.iter().flatten().count(), 1, "a result or an error: {line}");
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(3), "nothing else: {line}");
        answer
    }

    /// True when the daemon has closed the connection and nothing more was said.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            // Bytes of ours that the daemon never read turn its close into a reset.
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Sends one line and reads one answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Value {
        self.send_line(line);
        self.read_answer()
    }

    /// Calls a method: its result, or its error object.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last_id += 1;
        let id = self.last_id;
        let mut answer = self.ask(&request(&json!(id), method, &params));
        assert_eq!(answer["id"], id, "the answer to another request");
        match answer.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(answer["result"].take()),
        }
    }

    /// Calls a method that must succeed.
    #[track_caller]
    pub fn result(&mut self, method: &str, params: Value) -> Value {
        self.call(method, params).unwrap_or_else(|error| panic!("{method} was refused: {error}"))
    }

    /// Sends all lines at once, then reads as many answers.
    #[track_caller]
    pub fn pipeline(&mut self, lines: &[String]) -> Vec<Value> {
        let mut bytes = lines.join("\n");
        bytes.push('\n');
        self.send_raw(bytes);
        lines.iter().map(|_| self.read_answer()).collect()
    }

    /// Places an order for a new customer and returns its id.
    #[track_caller]
    pub fn place(&mut self, total_amount: u64) -> String {
        let placed = self.result("order.place", place_params(total_amount));
        placed["order"]["order_id"].as_str().expect("an order id").to_owned()
    }

    #[track_caller]
    pub fn status(&mut self) -> Value {
        self.result("daemon.status", json!({}))
    }

    /// The status, or None when the daemon is not there to answer.
    pub fn try_status(&mut self) -> Option<Value> {
        self.try_send_raw("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"daemon.status\"}\n").ok()?;
        let line = self.try_read_line().ok()??;
        Some(serde_json::from_str::<Value>(&line).ok()?.get_mut("result")?.take())
    }
}

/// A request line without its end.
pub fn request(id: &Value, method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// The params of an order for a new customer.
pub fn place_params(total_amount: u64) -> Value {
    json!({"customer_id": uuid(), "total_amount": total_amount})
}

/// The error's code and kind, whatever else it says.
pub fn error_kind(error: &Value) -> (i64, &str) {
    (error["code"].as_i64().unwrap_or_default(), error["data"]["kind"].as_str().unwrap_or_default())
}

/// Holds an error object to its whole form: code, kind, whether to try again, and a message for people.
#[track_caller]
pub fn assert_error(error: &Value, code: i64, kind: &str) {
    assert_eq!(error_kind(error), (code, kind), "{error}");
    let retryable = matches!(kind, "overloaded" | "shutting_down" | "storage_full");
    assert_eq!(error["data"], json!({"kind": kind, "retryable": retryable}), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.trim().is_empty()), "a message: {error}");
    assert_eq!(error.as_object().map(serde_json::Map::len), Some(3), "code, message and data alone: {error}");
}

/// Sends each line and holds its answer to the id and the error given.
#[track_caller]
pub fn refuses(client: &mut Client, (code, kind): (i64, &str), cases: &[(&[u8], Value)]) {
    for (line, id) in cases {
        let text = String::from_utf8_lossy(line);
        client.send_raw(line);
        client.send_raw("\n");
        let answer = client.read_answer();
        assert_eq!(&answer["id"], id, "the id of the answer to {text}: {answer}");
        assert!(answer.get("error").is_some(), "{text} was not refused: {answer}");
        assert_error(&answer["error"], code, kind);
    }
}
