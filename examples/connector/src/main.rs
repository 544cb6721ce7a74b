//! A connector of one's own: each event goes as a line to a TCP server, which answers with a line: `ok`, `no REASON`
//! for an event that it will never take, anything else for one that it does not take now.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use orderd_sink::{Common, ConfigError, Connector, Defaults, Delivery, Event, Outcome, Target, Unavailable};
use serde::{Deserialize, Serialize};

/// The kind of connector: `orderd-sink-lines`.
struct Lines;

/// Its own key, beside those that all connectors have.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct LinesConfig {
    address: String,
}

/// The server.
struct Server {
    address: String,
    timeout: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Connector for Lines {
    const TYPE: &'static str = "lines";
    const DEFAULTS: Defaults =
        Defaults { timeout_ms: 5_000, in_flight_max: 16, in_flight_limit: 1_024, batch_events_max: 16 };
    type Config = LinesConfig;
    type Target = Server;

    fn open(config: LinesConfig, common: &Common) -> Result<Server, ConfigError> {
        if !config.address.contains(':') {
            return Err(ConfigError::key("address", "takes HOST:PORT"));
        }
        Ok(Server { address: config.address, timeout: common.timeout, connection: None })
    }
}

impl Server {
    /// The connection, made when it is needed.
    fn connect(&mut self) -> std::io::Result<&mut BufReader<TcpStream>> {
        if self.connection.is_none() {
            let address = self.address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
            let stream = TcpStream::connect_timeout(&address, self.timeout)?;
            stream.set_read_timeout(Some(self.timeout))?;
            stream.set_write_timeout(Some(self.timeout))?;
            self.connection = Some(BufReader::new(stream));
        }
        self.connection.as_mut().ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }

    /// Sends one event and reads the answer.
    fn send(&mut self, event: &Event) -> std::io::Result<String> {
        let connection = self.connect()?;
        connection.get_mut().write_all(&[event.line.as_slice(), b"\n"].concat())?;
        let mut answer = String::new();
        if connection.read_line(&mut answer)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

impl Target for Server {
    fn deliver(&mut self, batch: Vec<Delivery>) {
        for delivery in batch {
            let outcome = match self.send(&delivery).as_deref().map(str::trim_end) {
                Ok("ok") => Outcome::Delivered,
                Ok(answer) => match answer.strip_prefix("no ") {
                    Some(reason) => Outcome::rejected(reason),
                    None => Outcome::failed(answer),
                },
                Err(error) => {
                    // What an old connection still says would be taken for the answer to the next event.
                    self.connection = None;
                    Outcome::unavailable(error.to_string())
                }
            };
            delivery.report(outcome);
        }
    }

    fn reload(&mut self) -> Result<(), ConfigError> {
        Ok(())
    }

    fn check(&mut self) -> Result<String, Unavailable> {
        self.connect().map_err(|error| Unavailable::passing(error.to_string()))?;
        Ok(format!("{} takes connections", self.address))
    }
}

fn main() -> std::process::ExitCode {
    orderd_sink::main::<Lines>(env!("CARGO_PKG_VERSION"))
}
