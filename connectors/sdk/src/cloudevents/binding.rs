//! An event as a message of one transport.

use std::borrow::Cow;

use super::{Attributes, ContentMode, STRUCTURED, percent};
use crate::event::{Event, EventError};

/// A transport with a CloudEvents binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// HTTP Protocol Binding.
    Http,
    /// Kafka Protocol Binding.
    Kafka,
    /// NATS Protocol Binding.
    Nats,
    /// Knative's binding for RabbitMQ (AMQP 0-9-1), which the official Python SDK reads as well.
    RabbitMq,
}

/// A message. `headers` is complete for Kafka and NATS; for HTTP and RabbitMQ the content type has a place of its own
/// (the header field, the property) and is in `content_type` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'e> {
    /// The media type of the body.
    pub content_type: String,
    /// Headers in the order of the event's attributes.
    pub headers: Vec<(String, String)>,
    /// The event's line, or its data.
    pub body: Cow<'e, [u8]>,
}

impl Binding {
    /// The message that carries `event`.
    ///
    /// # Errors
    /// The event is not a CloudEvent: a bug of the daemon.
    pub fn encode(self, event: &Event, mode: ContentMode) -> Result<Message<'_>, EventError> {
        match mode {
            ContentMode::Structured => Ok(self.structured(event)),
            ContentMode::Binary => self.binary(event),
        }
    }

    fn structured(self, event: &Event) -> Message<'_> {
        let headers = match self {
            Self::Http | Self::RabbitMq => Vec::new(),
            Self::Kafka => vec![("content-type".to_owned(), STRUCTURED.to_owned())],
            Self::Nats => vec![("Content-Type".to_owned(), STRUCTURED.to_owned())],
        };
        Message { content_type: STRUCTURED.to_owned(), headers, body: Cow::Borrowed(&event.line) }
    }

    fn binary(self, event: &Event) -> Result<Message<'_>, EventError> {
        let Attributes { context, data } = Attributes::of(event)?;
        let mut content_type = "application/json".to_owned();
        let mut headers = Vec::with_capacity(context.len());
        for attribute in context {
            if attribute.name == "datacontenttype" {
                match self {
                    Self::Http | Self::RabbitMq => {}
                    Self::Kafka => headers.push(("content-type".to_owned(), attribute.value.clone())),
                    Self::Nats => headers.push(("ce-datacontenttype".to_owned(), percent::encode(&attribute.value))),
                }
                content_type = attribute.value;
                continue;
            }
            headers.push(match self {
                Self::Http | Self::Nats => (format!("ce-{}", attribute.name), percent::encode(&attribute.value)),
                Self::Kafka => (format!("ce_{}", attribute.name), attribute.value),
                Self::RabbitMq => (format!("ce-{}", attribute.name), attribute.value),
            });
        }
        Ok(Message { content_type, headers, body: Cow::Borrowed(data.unwrap_or_default().as_bytes()) })
    }
}
