//! The form in which the outside sees an event: CloudEvents 1.0, structured JSON.
//!
//! A redelivered event is byte for byte the first one, so everything here follows from the stored event alone: no
//! clock, no configuration, no map whose order could differ.

use serde_json::error::Result;

use crate::contracts::{PublishedEvent, write_order_fields};
use crate::domain::{Cents, CustomerId, OrderEvent, Timestamp};

/// How every event begins; a file whose last line begins otherwise was not written by us.
pub const PREFIX: &str = r#"{"specversion":"1.0","id":""#;

/// More bytes than any event takes, as long as its source is a path or URL of ordinary length: metadata of 16 KiB, a
/// reason of 500 characters, all of them escaped as `\u00XX`, which is 3,000, and a trace context.
pub const BYTES_MAX: usize = 24 * 1024;

/// Appends `event` to `out` as one JSON object, without an end of line.
///
/// # Errors
/// None in practice: writing a string into memory does not fail, but the serializer's signature says that it might.
pub fn render(event: &PublishedEvent, out: &mut Vec<u8>) -> Result<()> {
    let entry = &event.entry;
    let occurrence = Occurrence::of(&entry.event);
    let order_id = occurrence.order_id.as_slice();
    out.reserve(640);
    put(out, &[PREFIX.as_bytes(), &hyphenated(entry.id.uuid()), br#"","source":"#]);
    serde_json::to_writer(&mut *out, &*event.source)?;
    put(out, &[br#","type":""#, entry.event.event_type().as_bytes(), br#"","subject":""#, order_id]);
    put(out, &[br#"","time":""#, &occurrence.time, br#"","datacontenttype":"application/json","partitionkey":""#]);
    put(out, &[order_id, br#"","sequence":""#, &twenty_digits(event.sequence.0), br#"","orderversion":"#]);
    serde_json::to_writer(&mut *out, &entry.order_version)?;
    put(out, &[br#","storeepoch":"#]);
    serde_json::to_writer(&mut *out, &event.epoch)?;
    let context = entry.context.as_deref();
    if let Some(traceparent) = context.and_then(|context| context.traceparent.as_deref()) {
        put(out, &[br#","traceparent":"#]);
        serde_json::to_writer(&mut *out, traceparent)?;
    }
    if let Some(tracestate) = context.and_then(|context| context.tracestate.as_deref()) {
        put(out, &[br#","tracestate":"#]);
        serde_json::to_writer(&mut *out, tracestate)?;
    }
    put(out, &[br#","data":"#]);
    render_data(&entry.event, &occurrence, out)?;
    if let Some(metadata) = context.and_then(|context| context.metadata.as_deref()) {
        // It is the text of a JSON object, checked when the command came in.
        put(out, &[br#","metadata":"#, metadata.as_bytes()]);
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

/// About how many bytes an event takes; never much too few.
#[must_use]
pub fn size_of(event: &PublishedEvent) -> usize {
    const ENVELOPE: usize = 700;
    let context = event.entry.context.as_deref();
    let texts = context.map_or(0, |context| {
        let texts = [&context.metadata, &context.traceparent, &context.tracestate];
        texts.into_iter().flatten().map(|text| text.len() + 20).sum()
    });
    let reason = match &event.entry.event {
        OrderEvent::Cancelled(cancelled) => cancelled.reason.as_ref().map_or(0, |reason| reason.as_str().len()),
        OrderEvent::Placed(_) | OrderEvent::Completed(_) | OrderEvent::Snapshot(_) => 0,
    };
    ENVELOPE + event.source.len() + texts + reason
}

/// What occurs more than once in an event, written out once.
struct Occurrence {
    order_id: [u8; 36],
    time: [u8; 27],
}

impl Occurrence {
    fn of(event: &OrderEvent) -> Self {
        Self { order_id: hyphenated(event.order_id().uuid()), time: Timestamp::rfc3339(event.occurred_at()) }
    }
}

/// The object's beginning; it is left open for what is added to it.
fn render_data(event: &OrderEvent, occurrence: &Occurrence, out: &mut Vec<u8>) -> Result<()> {
    match event {
        OrderEvent::Placed(placed) => {
            render_common(occurrence, placed.customer_id, placed.total_amount, out)?;
            put(out, &[br#","placed_at":""#, &occurrence.time, br#"""#]);
        }
        OrderEvent::Completed(completed) => {
            render_common(occurrence, completed.customer_id, completed.total_amount, out)?;
            put(out, &[br#","completed_at":""#, &occurrence.time, br#"""#]);
        }
        OrderEvent::Cancelled(cancelled) => {
            render_common(occurrence, cancelled.customer_id, cancelled.total_amount, out)?;
            let from = cancelled.cancelled_from.as_str().as_bytes();
            put(out, &[br#","cancelled_at":""#, &occurrence.time, br#"","cancelled_from":""#, from, br#"","reason":"#]);
            serde_json::to_writer(&mut *out, &cancelled.reason.as_ref().map(|reason| reason.as_str()))?;
        }
        OrderEvent::Snapshot(order) => write_order_fields(out, order),
    }
    Ok(())
}

fn render_common(occurrence: &Occurrence, customer_id: CustomerId, amount: Cents, out: &mut Vec<u8>) -> Result<()> {
    let customer_id = hyphenated(customer_id.uuid());
    put(out, &[br#"{"order_id":""#, &occurrence.order_id, br#"","customer_id":""#, &customer_id]);
    put(out, &[br#"","total_amount":"#]);
    serde_json::to_writer(&mut *out, &amount.get())
}

#[inline]
fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn hyphenated(uuid: uuid::Uuid) -> [u8; 36] {
    let mut text = [0; 36];
    uuid.hyphenated().encode_lower(&mut text);
    text
}

/// As many digits as the largest `u64` has, so that the text sorts as the number does.
fn twenty_digits(mut number: u64) -> [u8; 20] {
    let mut text = [b'0'; 20];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    text
}

#[cfg(test)]
#[path = "cloud_event_test.rs"]
mod tests;
