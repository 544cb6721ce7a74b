//! CloudEvents 1.0 in the bindings of HTTP, Kafka, NATS and RabbitMQ.
//!
//! | | attribute | content type of `data` (binary) | content type (structured) | values |
//! | --- | --- | --- | --- | --- |
//! | HTTP | `ce-NAME` | `content-type` | `content-type` | percent-encoded |
//! | Kafka | `ce_NAME` | `content-type` | `content-type` | UTF-8 |
//! | NATS | `ce-NAME` | `ce-datacontenttype` | `Content-Type` | percent-encoded |
//! | RabbitMQ | `ce-NAME` | property `content_type` | property `content_type` | UTF-8 |

mod attributes;
mod binding;
#[cfg(test)]
mod binding_test;
mod percent;

use serde::{Deserialize, Serialize};

pub use attributes::{Attribute, Attributes};
pub use binding::{Binding, Message};

/// The content type of a CloudEvent in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json; charset=utf-8";

/// The key `content_mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentMode {
    /// The body is the whole CloudEvent, byte for byte the line of a `file` sink.
    #[default]
    Structured,
    /// The body is the event's `data`; everything else is in headers.
    Binary,
}
