//! What an error of PostgreSQL means. The table is the one in docs/connectors/postgres.md.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use orderd_sink::Unavailable;
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

/// Why a batch was not stored. None of it was, or (a broken connection, a time-out) the result is
/// unknown; storing it again does no harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The database as a whole.
    Target(Unavailable),
    /// An event in the batch can never be stored.
    Rejected(String),
    /// An event in the batch, perhaps; perhaps only now.
    Failed(String),
}

impl Failure {
    /// No answer in time.
    pub fn timeout(timeout: Duration) -> Self {
        Self::Target(Unavailable::passing(format!("no answer within {} ms", timeout.as_millis())))
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        match error.as_db_error() {
            Some(error) => of_database(error),
            None => Self::Target(of_connection(error)),
        }
    }
}

fn of_database(error: &DbError) -> Failure {
    let code = error.code().code();
    let reason = format!("{} ({code})", error.message());
    let class = code.get(..2).unwrap_or_default();
    match (code, class) {
        // A standby that was promoted elsewhere, a query that took too long or was cancelled, a lock.
        ("25006" | "57014" | "55P03", _) => Failure::Target(Unavailable::passing(reason)),
        // Connection, resources, shutdown, conflicts of transactions, the system below, internal errors.
        (_, "08" | "40" | "53" | "57" | "58" | "XX") => Failure::Target(Unavailable::passing(reason)),
        // Authorization, database or schema missing, table, column or privilege missing, feature not supported.
        (_, "28" | "3D" | "3F" | "42" | "0A" | "0L" | "0P") => Failure::Target(Unavailable::blocked(reason)),
        // The data, a constraint, a size.
        (_, "22" | "23" | "54") => Failure::Rejected(reason),
        _ => Failure::Failed(reason),
    }
}

/// No answer of the server: it is away, or the two sides do not come to terms.
fn of_connection(error: &Error) -> Unavailable {
    let mut reason = error.to_string();
    let mut source = error.source();
    let mut certificate = false;
    while let Some(cause) = source {
        if let Some(tls) = inner_tls(cause) {
            certificate = matches!(tls, rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_));
        }
        if !reason.contains(&cause.to_string()) {
            reason = format!("{reason}: {cause}");
        }
        source = cause.source();
    }
    // The client itself says so before it asks the server.
    let terms = ["password missing", "server does not support TLS"].iter().any(|text| reason.contains(text));
    if certificate || terms { Unavailable::blocked(reason) } else { Unavailable::passing(reason) }
}

fn inner_tls<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref())
}
