//! From the daemon's own words to the parts of a history.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::record::{Moment, Order, Outcome, Plan, Refusal};

/// An event as a sink gets it; anything more or less is not one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    pub specversion: String,
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: String,
    pub time: String,
    pub datacontenttype: String,
    pub partitionkey: String,
    pub sequence: String,
    pub orderversion: u64,
    #[serde(default)]
    pub storeepoch: Option<u64>,
    pub data: Value,
}

impl Event {
    pub(super) fn read(text: &str) -> Result<Event, String> {
        let event: Event = serde_json::from_str(text).map_err(|error| error.to_string())?;
        event.sequence_number()?;
        Ok(event)
    }

    /// The sequence as a number: exactly twenty digits on the wire.
    fn sequence_number(&self) -> Result<u64, String> {
        let digits = self.sequence.bytes().all(|byte| byte.is_ascii_digit());
        if self.sequence.len() != 20 || !digits {
            return Err(format!("sequence {:?} is not 20 digits", self.sequence));
        }
        self.sequence.parse().map_err(|_| "sequence too large".to_owned())
    }

    pub(super) fn number(&self) -> u64 {
        self.sequence_number().unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct DumpLine {
    lsn: u64,
    #[serde(default)]
    order: Option<Order>,
    /// Of a plan that decides about delivery alone there are none.
    #[serde(default)]
    events: Vec<Box<RawValue>>,
}

/// The plans of a dump's output.
pub fn plans_of(output: &str) -> Result<Vec<Plan>, String> {
    let parse = |line: &str| {
        let line: DumpLine = serde_json::from_str(line).map_err(|error| format!("{error} in dump line {line:?}"))?;
        Ok(Plan {
            lsn: line.lsn,
            order: line.order,
            events: line.events.iter().map(|event| event.get().to_owned()).collect(),
        })
    };
    output.lines().map(parse).collect()
}

/// What an answer that arrived at `at` says, or why it is not an answer.
pub fn outcome_of(answer: &Value, at: Moment) -> Result<Outcome, String> {
    if let Some(error) = answer.get("error") {
        return refusal_of(error, at);
    }
    let result = answer.get("result").ok_or("neither result nor error")?;
    let order = result.get("order").ok_or("a result without order")?;
    let order: Order = serde_json::from_value(order.clone()).map_err(|error| error.to_string())?;
    let Some(lsn) = result.get("lsn") else {
        return Ok(Outcome::Read { at, order });
    };
    Ok(Outcome::Done {
        at,
        order,
        lsn: lsn.as_u64().ok_or("an lsn that is no number")?,
        duplicate: result["duplicate"].as_bool().ok_or("no duplicate flag")?,
    })
}

fn refusal_of(error: &Value, at: Moment) -> Result<Outcome, String> {
    let refusal = match error["data"]["kind"].as_str() {
        Some("order_not_found") => Refusal::OrderNotFound,
        Some("order_exists") => Refusal::OrderExists,
        Some("invalid_transition") => Refusal::InvalidTransition,
        Some("command_id_conflict") => Refusal::CommandIdConflict,
        Some("overloaded" | "shutting_down" | "storage_full") => Refusal::TurnedAway,
        // Nothing is promised about the effect.
        Some("internal_error") => return Ok(Outcome::Unknown),
        _ => return Err(format!("not a refusal of a sound command: {error}")),
    };
    Ok(Outcome::Refused { at, refusal })
}
