//! What a file sink has received.

use std::path::Path;

use serde_json::Value;

use super::{DEADLINE, Store, eventually};

/// The whole lines of a file; a last line without its end is still being written and is left out.
pub fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
}

/// The events of a file sink so far.
#[track_caller]
pub fn events(path: &Path) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    lines(path).iter().map(parse).collect()
}

/// Waits until the store's sink holds at least `count` events, and returns them.
#[track_caller]
pub fn events_of(store: &Store, count: usize) -> Vec<Value> {
    eventually(DEADLINE, &format!("{count} events in the sink"), || lines(&store.sink()).len() >= count);
    events(&store.sink())
}
