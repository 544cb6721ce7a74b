//! An order as the outside sees it: in answers, in snapshots, in what `dump` prints.

use serde::Serialize;
use uuid::Uuid;

use crate::domain::{OrderState, Timestamp};

/// Writes an order as one JSON object, without an end of line.
pub fn write_order(out: &mut Vec<u8>, order: &OrderState) {
    write_order_fields(out, order);
    out.push(b'}');
}

/// The same without the brace at its end, so that something may follow.
pub fn write_order_fields(out: &mut Vec<u8>, order: &OrderState) {
    out.extend_from_slice(b"{\"order_id\":\"");
    write_uuid(out, order.order_id.uuid());
    out.extend_from_slice(b"\",\"customer_id\":\"");
    write_uuid(out, order.customer_id.uuid());
    out.extend_from_slice(b"\",\"total_amount\":");
    write_integer(out, order.total_amount.get());
    out.extend_from_slice(b",\"status\":\"");
    out.extend_from_slice(order.status.as_str().as_bytes());
    out.extend_from_slice(b"\",\"version\":");
    write_integer(out, order.version);
    out.extend_from_slice(b",\"placed_at\":");
    write_time(out, Some(order.placed_at));
    out.extend_from_slice(b",\"completed_at\":");
    write_time(out, order.completed_at);
    out.extend_from_slice(b",\"cancelled_at\":");
    write_time(out, order.cancelled_at);
}

fn write_uuid(out: &mut Vec<u8>, uuid: Uuid) {
    let mut text = Uuid::encode_buffer();
    out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
}

fn write_time(out: &mut Vec<u8>, time: Option<Timestamp>) {
    match time {
        Some(time) => {
            out.push(b'"');
            out.extend_from_slice(&time.rfc3339());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

fn write_integer(out: &mut Vec<u8>, value: impl Serialize) {
    // A Vec takes everything, and an integer is always written.
    let written = serde_json::to_writer(&mut *out, &value);
    debug_assert!(written.is_ok(), "integers are written into memory");
}
