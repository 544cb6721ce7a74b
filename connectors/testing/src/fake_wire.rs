//! The scripted daemon's side of the attach protocol, strictly: what is not in it is a violation.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::fake_state::{HandOut, State};

/// The `sink.attach` request.
pub(crate) struct Attach {
    pub(crate) id: Value,
    pub(crate) sink: String,
    pub(crate) in_flight_max: Option<usize>,
}

pub(crate) fn attach(line: &str) -> Result<Attach, String> {
    let mut request = object(line)?;
    let id = request.remove("id").ok_or("sink.attach needs an id")?;
    let mut params = message(request, "sink.attach")?;
    let sink = text(&mut params, "sink")?;
    let protocol = params.remove("protocol");
    if protocol != Some(json!(1)) {
        return Err(format!("protocol {protocol:?}"));
    }
    let program = text(&mut params, "program")?;
    if program.chars().count() > 100 {
        return Err(format!("a program of more than 100 characters: {program}"));
    }
    let in_flight_max = number(&mut params, "in_flight_max")?.and_then(|max| usize::try_from(max).ok());
    params.remove("take_over");
    rest(&params)?;
    Ok(Attach { id, sink, in_flight_max })
}

/// Takes in one notification.
pub(crate) fn notification(state: &mut State, line: &str) -> Result<(), String> {
    let notification = object(line)?;
    if notification.contains_key("id") {
        return Err("a request on an attached connection".to_owned());
    }
    let method = notification.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut params = message(notification, &method)?;
    match method.as_str() {
        "delivered" => {
            let tags = params.remove("tags").ok_or("`delivered` without tags")?;
            let tags: Vec<u64> = serde_json::from_value(tags).map_err(|error| error.to_string())?;
            rest(&params)?;
            state.delivered(&tags)
        }
        "failed" => {
            let tag = number(&mut params, "tag")?.ok_or("`failed` without a tag")?;
            let (reason, wait) = (text(&mut params, "reason")?, number(&mut params, "retry_after_ms")?);
            rest(&params)?;
            state.failed(tag, reason, wait)
        }
        "rejected" => {
            let tag = number(&mut params, "tag")?.ok_or("`rejected` without a tag")?;
            let reason = text(&mut params, "reason")?;
            rest(&params)?;
            state.rejected(tag, reason)
        }
        "unavailable" => {
            let (reason, wait) = (text(&mut params, "reason")?, number(&mut params, "retry_after_ms")?);
            let blocked = params.remove("blocked").is_some_and(|blocked| blocked == json!(true));
            rest(&params)?;
            state.unavailable(reason, wait, blocked);
            Ok(())
        }
        unknown => Err(format!("unknown method {unknown:?}")),
    }
}

pub(crate) fn event(hand_out: HandOut) -> String {
    let event = RawValue::from_string(hand_out.line).expect("an event is JSON");
    let replay = hand_out.replay.map_or(String::new(), |replay| format!(",\"replay\":{}", json!(replay)));
    let HandOut { tag, attempt, .. } = HandOut { line: String::new(), replay: None, ..hand_out };
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{{\"tag\":{tag},\"attempt\":{attempt},\"event\":{}{replay}}}}}\n",
        event.get()
    )
}

pub(crate) fn closing(kind: &str, message: &str) -> String {
    json!({"jsonrpc": "2.0", "method": "closing", "params": {"kind": kind, "message": message}}).to_string() + "\n"
}

pub(crate) fn refusal(id: &Value, code: i32, kind: &str, retryable: bool) -> String {
    let data = json!({"kind": kind, "retryable": retryable});
    let error = json!({"code": code, "message": format!("refused: {kind}"), "data": data});
    json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string() + "\n"
}

pub(crate) fn attached(id: &Value, sink: &str, in_flight_max: usize) -> String {
    let result = json!({"sink": sink, "acked_sequence": 0, "storeepoch": 1, "in_flight_max": in_flight_max});
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string() + "\n"
}

fn object(line: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(format!("not a JSON object: {line}")),
    }
}

fn message(mut message: Map<String, Value>, method: &str) -> Result<Map<String, Value>, String> {
    if message.remove("jsonrpc") != Some(json!("2.0")) {
        return Err("no \"jsonrpc\":\"2.0\"".to_owned());
    }
    if message.remove("method") != Some(json!(method)) {
        return Err(format!("not the method {method}"));
    }
    let Some(Value::Object(params)) = message.remove("params") else { return Err("no params".to_owned()) };
    rest(&message)?;
    Ok(params)
}

fn text(params: &mut Map<String, Value>, key: &str) -> Result<String, String> {
    match params.remove(key) {
        Some(Value::String(text)) => Ok(text),
        other => Err(format!("{key} is {other:?}, not a text")),
    }
}

fn number(params: &mut Map<String, Value>, key: &str) -> Result<Option<u64>, String> {
    match params.remove(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(format!("{key} is {value}, not a number")),
    }
}

fn rest(params: &Map<String, Value>) -> Result<(), String> {
    match params.keys().next() {
        None => Ok(()),
        Some(key) => Err(format!("unknown key {key}")),
    }
}
