//! An event as a message of AMQP 0-9-1.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use orderd_sink::cloudevents::{Binding, ContentMode};
use orderd_sink::{Event, EventError};

/// Kept on disk by durable queues.
const PERSISTENT: u8 = 2;

/// Properties and body.
pub(crate) fn of(event: &Event, mode: ContentMode) -> Result<(BasicProperties, Vec<u8>), EventError> {
    let encoded = Binding::RabbitMq.encode(event, mode)?;
    let mut headers = FieldTable::default();
    for (name, value) in encoded.headers {
        headers.insert(short(&name), AMQPValue::LongString(LongString::from(value)));
    }
    if let Some(replay) = &event.replay {
        headers.insert(short("orderd-replay"), AMQPValue::LongString(LongString::from(replay.as_str())));
    }
    let properties = BasicProperties::default()
        .with_message_id(short(&event.id))
        .with_type(short(&event.kind))
        .with_content_type(short(&encoded.content_type))
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    Ok((properties, encoded.body.into_owned()))
}

/// A text that the protocol has room for: what is longer is cut. Names and ids of ours are far below the limit.
pub(crate) fn short(text: &str) -> ShortString {
    let end = (0..=text.len().min(255)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    ShortString::try_new(text.get(..end).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_text_that_is_too_long_is_cut_between_characters() {
        assert_eq!(short("OrderPlaced").as_str(), "OrderPlaced");
        assert_eq!(short(&"é".repeat(200)).as_str().len(), 254);
    }
}
