//! The abuse protection of the CloudEvents HTTP webhook specification: the endpoint says that it wants our events.

use orderd_sink::Unavailable;
use ureq::Agent;
use ureq::http::{HeaderMap, Uri};

use crate::response;

/// Asks for permission in the name of `origin`.
pub fn ask(agent: &Agent, uri: &Uri, origin: &str) -> Result<(), Unavailable> {
    let answer = agent.options(uri).header("webhook-request-origin", origin).call();
    let answer = answer.map_err(|error| match response::outcome_of_error(&error) {
        orderd_sink::Outcome::Unavailable(unavailable) => unavailable,
        orderd_sink::Outcome::Delivered
        | orderd_sink::Outcome::Failed { .. }
        | orderd_sink::Outcome::Rejected { .. } => Unavailable::passing(format!("the handshake: {error}")),
    })?;
    let status = answer.status();
    if status.is_server_error() {
        return Err(Unavailable::passing(format!("the handshake was answered with {status}")));
    }
    let allowed = field(answer.headers(), "webhook-allowed-origin");
    if !status.is_success() || ![Some(origin), Some("*")].contains(&allowed) {
        let said = allowed.unwrap_or("nothing");
        let reason =
            format!("the endpoint does not allow the origin {origin}: {status}, webhook-allowed-origin: {said}");
        return Err(Unavailable::blocked(reason));
    }
    if let Some(rate) = field(answer.headers(), "webhook-allowed-rate").filter(|rate| *rate != "*") {
        tracing::warn!(rate, "the endpoint limits events per minute: set the sink's rate_events_per_s_max");
    }
    Ok(())
}

fn field<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}
