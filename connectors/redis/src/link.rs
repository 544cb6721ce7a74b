//! One connection.

use std::time::{Duration, Instant};

use orderd_sink::{Credentials, Delivery, Outcome, Unavailable};
use redis::{Client, ClientTlsConfig, Connection, ConnectionAddr, ConnectionInfo, RedisError, TlsCertificates, Value};

use crate::answers;
use crate::config::Settings;

/// A connection.
pub(crate) struct Link {
    connection: Connection,
    timeout: Duration,
}

/// Whether a connection is of further use, and where the stream is if not here.
pub(crate) enum Fate {
    Alive,
    Ended,
    /// The cluster has moved the stream's slot to this address.
    Moved(String),
}

impl Link {
    /// Connects to the server, or to where its cluster has moved the stream.
    pub(crate) fn open(
        settings: &Settings,
        credentials: &Credentials,
        moved_to: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, Unavailable> {
        let connect = || {
            let client = client(server(settings, credentials, moved_to), credentials)?;
            let connection = client.get_connection_with_timeout(timeout)?;
            connection.set_read_timeout(Some(timeout))?;
            connection.set_write_timeout(Some(timeout))?;
            Ok(connection)
        };
        let connection = connect().map_err(|error: RedisError| {
            let Unavailable { reason, retry_after, blocked } = answers::of_connection(&error);
            Unavailable { reason: format!("cannot connect: {reason}"), retry_after, blocked }
        })?;
        Ok(Self { connection, timeout })
    }

    /// Sends all events at once and answers for each as the server does.
    pub(crate) fn add(&mut self, batch: Vec<Delivery>, settings: &Settings) -> Fate {
        let deadline = Instant::now() + self.timeout;
        let mut commands = Vec::new();
        for event in &batch {
            commands.extend(settings.script.add(&event.id, &event.line).get_packed_command());
        }
        let mut fate = match self.connection.send_packed_command(&commands) {
            Ok(()) => Fate::Alive,
            Err(error) => return refuse(batch, &answers::of_connection(&error)),
        };
        let (mut waiting, mut answered, mut lost) = (batch.into_iter(), Vec::new(), None);
        while lost.is_none()
            && let Some(delivery) = waiting.next()
        {
            let outcome = match self.connection.recv_response() {
                Ok(Value::ServerError(error)) => {
                    let error = RedisError::from(error);
                    fate = fate.after(&error);
                    answers::of_reply(&error)
                }
                Ok(reply) => {
                    if reply == Value::Nil {
                        tracing::debug!(sequence = delivery.sequence, "the stream had the event already");
                    }
                    Outcome::Delivered
                }
                Err(error) => lost.insert(answers::of_connection(&error)).clone().into(),
            };
            answered.push((delivery, outcome));
            if lost.is_none() && waiting.len() > 0 && Instant::now() > deadline {
                lost = Some(Unavailable::passing("the server did not answer in time"));
            }
        }
        Delivery::report_each(answered);
        match lost {
            Some(unavailable) => refuse(waiting, &unavailable),
            None => fate,
        }
    }

    /// What the server says of the stream and of its append-only file.
    pub(crate) fn describe(&mut self, settings: &Settings) -> Result<String, Unavailable> {
        let (stream, unavailable) = (&settings.script.stream, |error| answers::of_connection(&error));
        let kind: String = redis::cmd("TYPE").arg(stream).query(&mut self.connection).map_err(unavailable)?;
        let found = match kind.as_str() {
            "stream" => {
                let entries: u64 = redis::cmd("XLEN").arg(stream).query(&mut self.connection).map_err(unavailable)?;
                format!("the stream {stream} is there: {entries} entries")
            }
            "none" if settings.script.create_stream => format!("the stream {stream} will be made"),
            "none" => return Err(Unavailable::blocked(format!("the stream {stream} is missing"))),
            other => return Err(Unavailable::blocked(format!("{stream} is a {other}, not a stream"))),
        };
        // Not everybody may ask.
        let persistence: Option<String> = redis::cmd("INFO").arg("persistence").query(&mut self.connection).ok();
        Ok(match persistence {
            Some(info) if info.contains("aof_enabled:0") => {
                found + "; the server keeps no append-only file: its crash loses confirmed events"
            }
            Some(_) | None => found,
        })
    }
}

impl Fate {
    fn after(self, error: &RedisError) -> Self {
        match (error.code(), error.redirect_node()) {
            (Some("MOVED"), Some((address, _))) => Self::Moved(address.to_owned()),
            // After a failover the old master is a replica: the name may lead to the new one.
            (Some("READONLY" | "MASTERDOWN" | "NOAUTH"), _) => Self::Ended,
            _ => self,
        }
    }
}

fn refuse(deliveries: impl IntoIterator<Item = Delivery>, unavailable: &Unavailable) -> Fate {
    Delivery::report_all(deliveries, &unavailable.clone().into());
    Fate::Ended
}

fn server(settings: &Settings, credentials: &Credentials, moved_to: Option<&str>) -> ConnectionInfo {
    let mut server = settings.server.clone();
    if let Some(address) = moved_to.and_then(|address| at(server.addr(), address)) {
        server = server.set_addr(address);
    }
    let Some(password) = &credentials.password else { return server };
    let redis = server.redis_settings().clone().set_password(password.expose());
    server.set_redis_settings(redis)
}

/// The other node, reached as the first one is.
fn at(first: &ConnectionAddr, address: &str) -> Option<ConnectionAddr> {
    let (host, port) = address.rsplit_once(':')?;
    let (host, port) = (host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?);
    match first {
        ConnectionAddr::Tcp(..) => Some(ConnectionAddr::Tcp(host, port)),
        ConnectionAddr::TcpTls { tls_params, .. } => {
            Some(ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: tls_params.clone() })
        }
        ConnectionAddr::Unix(_) | _ => None,
    }
}

fn client(server: ConnectionInfo, credentials: &Credentials) -> Result<Client, RedisError> {
    if !matches!(server.addr(), ConnectionAddr::TcpTls { .. }) {
        return Client::open(server);
    }
    let client_tls = credentials.tls.client.as_ref().map(|client| ClientTlsConfig {
        client_cert: client.certificates.clone(),
        client_key: client.key.expose().as_bytes().to_vec(),
    });
    Client::build_with_tls(server, TlsCertificates { client_tls, root_cert: credentials.tls.ca.clone() })
}
