//! One request for one event.

use std::io::Read as _;
use std::time::Duration;

use chrono::Utc;
use orderd_sink::cloudevents::{Binding, ContentMode};
use orderd_sink::{Event, Outcome};
use ureq::Agent;
use ureq::http::{Response, Uri};

use crate::response;
use crate::signature::Signer;

/// How much of an answer's body goes into a reason.
const QUOTED_CHARS_MAX: usize = 200;

/// Everything that a request needs besides its event.
pub struct Poster {
    pub agent: Agent,
    pub signer: Signer,
    pub uri: Uri,
    pub content_mode: ContentMode,
    pub retry_after_max: Duration,
    pub response_bytes_max: usize,
}

impl Poster {
    /// Posts the event and waits for the answer.
    pub fn post(&self, event: &Event) -> Outcome {
        let message = match Binding::Http.encode(event, self.content_mode) {
            Ok(message) => message,
            Err(error) => return Outcome::rejected(error.to_string()),
        };
        let timestamp = Utc::now().timestamp();
        let mut request = self
            .agent
            .post(&self.uri)
            .header("content-type", &message.content_type)
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", self.signer.sign(&event.id, timestamp, &message.body));
        if let Some(replay) = &event.replay {
            request = request.header("orderd-replay", replay);
        }
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        match request.send(&*message.body) {
            Ok(response) => self.read(response),
            Err(error) => response::outcome_of_error(&error),
        }
    }

    /// The head decides. The body is read so that the connection can be used again, and quoted in a reason.
    fn read(&self, response: Response<ureq::Body>) -> Outcome {
        let (head, body) = response.into_parts();
        let limit = u64::try_from(self.response_bytes_max).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let read = body.into_reader().take(limit).read_to_end(&mut bytes);
        if let Err(error) = read {
            tracing::debug!(%error, "the body of an answer was not read to its end");
        }
        let quoted = orderd_sink::text::excerpt(&String::from_utf8_lossy(&bytes), QUOTED_CHARS_MAX);
        response::outcome(head.status, &head.headers, &quoted, self.retry_after_max)
    }
}
