//! A connection with a channel that is ready to publish.

use std::io;
use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::tcp::{AsyncTcpStream, RustlsConnector, RustlsConnectorConfig};
use lapin::types::{FieldTable, LongString};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind};
use orderd_sink::{Credentials, TlsPem, Unavailable};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;

use crate::answers;
use crate::config::Settings;
use crate::message::short;

/// Connects, opens a channel with confirms and looks whether the exchange is there.
pub(crate) async fn open(
    settings: &Settings,
    credentials: &Credentials,
    sink: &str,
    timeout_max: Duration,
) -> Result<(Connection, Channel), Unavailable> {
    match timeout(timeout_max, connect(settings, credentials, sink)).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) => {
            let Unavailable { reason, retry_after, blocked } = answers::of_error(&error);
            Err(Unavailable { reason: format!("cannot connect: {reason}"), retry_after, blocked })
        }
        Err(_) => Err(Unavailable::passing("cannot connect: the server does not answer")),
    }
}

async fn connect(settings: &Settings, credentials: &Credentials, sink: &str) -> lapin::Result<(Connection, Channel)> {
    let mut uri = settings.uri.clone();
    if let Some(password) = &credentials.password {
        password.expose().clone_into(&mut uri.authority.userinfo.password);
    }
    let tls = match uri.scheme {
        AMQPScheme::AMQP => None,
        AMQPScheme::AMQPS => Some(connector(&credentials.tls).map_err(lapin_error)?),
    };
    let properties = ConnectionProperties::default().with_connection_name(LongString::from(format!("orderd/{sink}")));
    let runtime = async_rs::Runtime::tokio_current();
    let connection = Connection::connector(
        uri,
        runtime,
        async move |uri: AMQPUri, runtime| {
            let host = uri.authority.host;
            let address = runtime.to_socket_addrs((host.clone(), uri.authority.port));
            let stream = AsyncTcpStream::connect(&runtime, address).await.map_err(lapin_error)?;
            match &tls {
                Some(tls) => stream.into_rustls(tls, &host).await.map_err(lapin_error),
                None => Ok(stream),
            }
        },
        properties,
    )
    .await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    // The default exchange is always there, and cannot be asked for.
    if !settings.exchange.is_empty() {
        let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let (name, kind) = (short(&settings.exchange), ExchangeKind::Topic);
        channel.exchange_declare(name, kind, options, FieldTable::default()).await?;
    }
    Ok((connection, channel))
}

fn lapin_error(error: io::Error) -> lapin::Error {
    ErrorKind::IOError(error.into()).into()
}

/// With `ca_file`, its authorities alone; else those of the system.
fn connector(tls: &TlsPem) -> io::Result<RustlsConnector> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, format!("a certificate or key: {error}"));
    let certificates = |pem: &[u8]| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(invalid);
    let roots = match &tls.ca {
        Some(ca) => RustlsConnectorConfig::default().with_parsable_certificates(certificates(ca)?),
        None => RustlsConnectorConfig::new_with_native_certs()?,
    };
    match &tls.client {
        Some(client) => {
            let key = PrivateKeyDer::from_pem_slice(client.key.expose().as_bytes()).map_err(invalid)?;
            roots.connector_with_single_cert(certificates(&client.certificates)?, key)
        }
        None => roots.connector_with_no_client_auth(),
    }
}
