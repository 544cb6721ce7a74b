//! Parked lanes by what is wrong with them: reasons that differ in ids and numbers alone are one reason.

use serde_json::Value;

use super::format::is_invisible;
use super::value::{number, text};

/// Text with a digit and this many letters or digits is an id or a number, not a word.
const ID_LENGTH_MIN: usize = 6;
const PLACEHOLDER: &str = "…";

/// Lanes of one sink with the same state and reason.
#[derive(Debug)]
pub struct Group<'a> {
    /// Their sink.
    pub sink: &'a str,
    /// `rejected`, `retrying`, `held`, `requeued`.
    pub state: String,
    /// The reason, with `…` for what differs.
    pub reason: String,
    /// The longest part of the reason that all of them have.
    pub common: String,
    /// The lanes.
    pub lanes: Vec<&'a Value>,
}

impl Group<'_> {
    /// Events that wait in all of them.
    pub fn events(&self) -> u64 {
        self.lanes.iter().filter_map(|lane| number(lane, "events")).sum()
    }
}

/// The lanes of a sink, the largest group first.
pub fn group<'a>(sink: &'a str, lanes: &'a [Value]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for lane in lanes {
        let state = text(lane, "state").unwrap_or_default();
        let reason = pattern(text(lane, "reason").unwrap_or_default());
        match groups.iter_mut().find(|group| group.state == state && group.reason == reason) {
            Some(group) => group.lanes.push(lane),
            None => {
                let common = longest_part(&reason);
                groups.push(Group { sink, state: state.to_owned(), reason, common, lanes: vec![lane] });
            }
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.lanes.len()));
    groups
}

fn pattern(reason: &str) -> String {
    let mut pattern = String::with_capacity(reason.len());
    let mut word = String::new();
    for c in reason.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_alphanumeric() || c == '-' || c == '_' => word.push(c),
            Some(_) | None => {
                let is_id = word.len() >= ID_LENGTH_MIN && word.contains(|c: char| c.is_ascii_digit());
                pattern.push_str(if is_id { PLACEHOLDER } else { &word });
                word.clear();
                pattern.extend(c);
            }
        }
    }
    pattern
}

fn longest_part(pattern: &str) -> String {
    // What a terminal would not show is in no command that is offered for copying.
    let parts = pattern.split(|c| PLACEHOLDER.contains(c) || is_invisible(c)).map(str::trim);
    parts.max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_that_differ_in_ids_alone_are_one_group() {
        let lane = |state: &str, reason: &str| json!({"state": state, "reason": reason, "events": 2});
        let lanes = [
            lane("rejected", "HTTP 422: order 01890a5d-ac96-774b-bcce-b302099a8057 unknown"),
            lane("rejected", "HTTP 422: order 01890a5d-ac96-774b-bcce-b302099a8058 unknown"),
            lane("rejected", "HTTP 400: order 01890a5d-ac96-774b-bcce-b302099a8058 unknown"),
            lane("retrying", "HTTP 422: order 01890a5d-ac96-774b-bcce-b302099a8058 unknown"),
        ];
        let groups = group("s", &lanes);
        assert_eq!(groups.len(), 3);
        assert_eq!(groups[0].lanes.len(), 2);
        assert_eq!(groups[0].events(), 4);
        assert_eq!(groups[0].reason, "HTTP 422: order … unknown");
        assert_eq!(groups[0].common, "HTTP 422: order");
    }
}
