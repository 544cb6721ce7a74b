//! Events as the daemon renders them.

/// The id of the order with this number.
#[must_use]
pub fn order_id(order: u64) -> String {
    format!("01890a5d-ac96-774b-8000-{order:012x}")
}

/// The event of an order's version (1 placed, 2 completed, 3 cancelled) as the line of a `file` sink.
#[must_use]
pub fn event(sequence: u64, order: u64, version: u64) -> String {
    event_with(sequence, order, version, "", "")
}

/// The same with `attributes` (`"traceparent":"…",`) before the data and `metadata` (`,"metadata":{…}`) at its end.
///
/// # Panics
/// A version that no order has.
#[must_use]
pub fn event_with(sequence: u64, order: u64, version: u64, attributes: &str, metadata: &str) -> String {
    let id = format!("4e842ec4-5204-5e1f-{version:04x}-{order:012x}");
    let order = order_id(order);
    let time = format!("2026-11-18T11:06:4{version}.000001Z");
    let (kind, end) = match version {
        1 => ("OrderPlaced", format!(r#""placed_at":"{time}""#)),
        2 => ("OrderCompleted", format!(r#""completed_at":"{time}""#)),
        3 => {
            let reason = r#""cancelled_from":"completed","reason":"too late: \"nöt\" today\n""#;
            ("OrderCancelled", format!(r#""cancelled_at":"{time}",{reason}"#))
        }
        version => panic!("an order has no version {version}"),
    };
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/orderd","type":"{kind}","subject":"{order}","time":"{time}","datacontenttype":"application/json","partitionkey":"{order}","sequence":"{sequence:020}","orderversion":{version},"storeepoch":1,{attributes}"data":{{"order_id":"{order}","customer_id":"7d444840-9dc0-11d1-b245-5ffdce74fad2","total_amount":1250,{end}{metadata}}}}}"#
    )
}

/// `count` orders of three events each, in rounds: every order is placed, then every order completed, then cancelled.
/// Sequences begin at 1.
#[must_use]
pub fn orders(count: u64) -> Vec<String> {
    let all = (1..=3).flat_map(|version| (0..count).map(move |order| (order, version)));
    all.zip(1..).map(|((order, version), sequence)| event(sequence, order, version)).collect()
}
