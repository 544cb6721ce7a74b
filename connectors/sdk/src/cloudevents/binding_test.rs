//! Each binding in both modes, against a golden file. `tests/golden.rs` has the files read by the official SDK.

use std::path::Path;

use orderd_sink_testing::event_with;

use super::{Binding, ContentMode};
use crate::event::Event;

/// Attributes and data with everything that a header cannot hold as it is.
fn line() -> String {
    let trace = r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1,b=%20 \"größe 😀\"","#;
    event_with(18, 6, 3, trace, r#","metadata":{"channel":"größe 😀","n":[1,2.50,null]}"#)
}

/// The content type where the transport has a place for it, the headers, an empty line, the body.
fn render(binding: Binding, mode: ContentMode) -> String {
    let event = Event::of_line(&line());
    let message = binding.encode(&event, mode).unwrap();
    let own_place = matches!(binding, Binding::Http | Binding::RabbitMq);
    let content_type = if own_place { format!("content-type: {}\n", message.content_type) } else { String::new() };
    let headers: String = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{content_type}{headers}\n{}\n", std::str::from_utf8(&message.body).unwrap())
}

#[test]
fn every_binding_is_its_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cloudevents/golden");
    let bindings =
        [(Binding::Http, "http"), (Binding::Kafka, "kafka"), (Binding::Nats, "nats"), (Binding::RabbitMq, "rabbitmq")];
    for (binding, name) in bindings {
        for (mode, kind) in [(ContentMode::Structured, "structured"), (ContentMode::Binary, "binary")] {
            let file = folder.join(format!("{name}_{kind}.txt"));
            let golden = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(render(binding, mode), golden, "{}", file.display());
        }
    }
}

#[test]
fn an_event_without_data_has_an_empty_body_in_binary_mode() {
    let mut event = Event::of_line(&line());
    event.line = br#"{"specversion":"1.0","id":"i","flag":true,"n":-3}"#.to_vec();
    let message = Binding::Http.encode(&event, ContentMode::Binary).unwrap();
    assert!(message.body.is_empty());
    assert_eq!(message.headers[2..], [("ce-flag".into(), "true".into()), ("ce-n".into(), "-3".into())]);
    event.line = br#"{"specversion":"1.0","id":{}}"#.to_vec();
    Binding::Http.encode(&event, ContentMode::Binary).unwrap_err();
}
