//! What has to be true of events that arrived at a target.

use std::collections::HashMap;

use serde_json::Value;

/// Checks that every published line arrived byte for byte and that first arrivals of an order came in the order of its
/// versions. Returns how many arrived more than once.
///
/// # Panics
/// Something is missing, was changed, or came too early.
pub fn check_arrivals(published: &[String], arrived: &[impl AsRef<[u8]>]) -> usize {
    let known: HashMap<&[u8], usize> = published.iter().enumerate().map(|(at, line)| (line.as_bytes(), at)).collect();
    let mut seen = vec![0_usize; published.len()];
    let mut versions: HashMap<String, u64> = HashMap::new();
    for body in arrived.iter().map(AsRef::as_ref) {
        let at = *known.get(body).unwrap_or_else(|| panic!("not an event: {}", String::from_utf8_lossy(body)));
        seen[at] += 1;
        if seen[at] > 1 {
            continue;
        }
        let event: Value = serde_json::from_slice(body).expect("an event is JSON");
        let order = event["partitionkey"].as_str().expect("a partitionkey").to_owned();
        let version = event["orderversion"].as_u64().expect("an orderversion");
        let last = versions.insert(order, version).unwrap_or(0);
        assert_eq!(version, last + 1, "an event came before one of an earlier version");
    }
    let missing: Vec<usize> = (0..seen.len()).filter(|at| seen[*at] == 0).collect();
    assert!(missing.is_empty(), "{} events are missing, the first is {}", missing.len(), published[missing[0]]);
    seen.iter().sum::<usize>() - published.len()
}
