//! What the commands that change an order take in common.

use serde_json::value::RawValue;

use super::params::Params;
use crate::domain::CommandId;

/// The command's id, and what goes with the event that it raises.
#[derive(Debug, clap::Args)]
pub struct CommandArgs {
    /// Makes it safe to send the command again: the same id changes something only once
    #[arg(long, value_name = "UUID")]
    command_id: Option<CommandId>,
    /// A JSON object that goes with the event and is kept as it is written
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    metadata: Option<Box<RawValue>>,
    /// W3C Trace Context of the caller, for the event
    #[arg(long, value_name = "TEXT")]
    traceparent: Option<String>,
    /// W3C Trace Context, what vendors add to the traceparent
    #[arg(long, value_name = "TEXT")]
    tracestate: Option<String>,
}

impl CommandArgs {
    /// Adds what was given to a command's params.
    pub(super) fn add_to(&self, params: Params) -> Params {
        params
            .with_some("command_id", self.command_id)
            .with_some("metadata", self.metadata.clone())
            .with_some("traceparent", self.traceparent.as_ref())
            .with_some("tracestate", self.tracestate.as_ref())
    }
}

/// JSON as it is written, on one line: between the parts of JSON a line end is as good as a space, and inside of a
/// string there is none. Keys, depth and size are the daemon's to judge.
fn json_object(text: &str) -> Result<Box<RawValue>, String> {
    let expected = |problem: String| format!("{problem}; a JSON object is expected, such as {{\"shop\":\"web\"}}");
    let line = text.trim().replace(['\n', '\r'], " ");
    let json = RawValue::from_string(line).map_err(|error| expected(error.to_string()))?;
    if json.get().starts_with('{') { Ok(json) } else { Err(expected("this is another kind of JSON".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_keeps_its_text_and_fits_on_a_line() {
        assert_eq!(json_object("{\n \"a\": 1.0 }\n").unwrap().get(), "{  \"a\": 1.0 }");
        for wrong in ["", "{", "[1]", "7", "{\"a\":1} {}", "{\"a\":\"\n"] {
            assert!(json_object(wrong).unwrap_err().contains("JSON object"), "{wrong}");
        }
    }
}
